#include "goplugin/internal/serve/mux_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/serve/port_range.h"

namespace goplugin::internal {
namespace {

// For the last words on their way to the host.
constexpr absl::Duration kDrainTime = absl::Milliseconds(200);
constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);
constexpr int kQueue = 1;

// A listening socket that does not block at `port` of 127.0.0.1, and in `taken`
// the port it got where that is 0. Invalid when it can't be had.
UniqueFd ListenAtPort(int port, int* taken) {
  UniqueFd listener = BindPort(port);
  const int on = 1;
  // Connections inherit it: frames go out as they come.
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  const bool listens =
      fcntl(listener.get(), F_SETFL, O_NONBLOCK) == 0 &&
      listen(listener.get(), kQueue) == 0 &&
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address),
                  &size) == 0;
  if (!listens) return UniqueFd();
  *taken = ntohs(address.sin_port);
  return listener;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MuxListener>> MuxListener::Start(
    const ServerPlan& plan, std::shared_ptr<ConnectionIntake> intake,
    Callbacks callbacks) {
  auto listener = absl::WrapUnique(new MuxListener(plan.threads));
  absl::Status listens = ListenOnFirst(plan.networks, [&](auto network) {
    return listener->Listen(network, plan);
  });
  if (!listens.ok()) return listens;
  Multiplexer::Options options;
  options.role = YamuxRole::kServer;
  options.peer = "host";
  options.main_server = [acceptors = plan.threads->acceptors(),
                         intake = std::move(intake)](UniqueFd connection) {
    acceptors->HandOver(std::move(connection), [intake](UniqueFd taken) {
      intake->Take(std::move(taken));
    });
  };
  options.make_door = [directories =
                           plan.directories]() -> absl::StatusOr<DoorSocket> {
    absl::StatusOr<std::shared_ptr<const Directory>> doors =
        directories->Doors();
    if (!doors.ok()) return doors.status();
    return MakeDoorSocketIn(**doors);
  };
  options.warn = std::move(callbacks.warn);
  options.on_end = [gone = std::move(callbacks.on_host_gone)](
                       const absl::Status& /*status*/) { gone(); };
  EventLoop& loop = plan.threads->loop();
  listener->multiplexer_ = Multiplexer::Create(loop, std::move(options));
  loop.Post([&loop, self = listener.get()] {
    self->retry_ = std::make_unique<Timer>(loop);
    self->watch_ = std::make_unique<DescriptorWatch>(
        loop, self->listener_.get(),
        DescriptorWatch::Callbacks{[self] { self->OnConnection(); }, nullptr});
    self->watch_->WaitReadable();
  });
  return listener;
}

MuxListener::~MuxListener() {
  if (multiplexer_ == nullptr) return;
  absl::Notification drained;
  multiplexer_->Drain(kDrainTime, [&drained] { drained.Notify(); });
  drained.WaitForNotification();
  absl::Notification ended;
  threads_->loop().Post([this, &ended] {
    watch_.reset();
    retry_.reset();
    multiplexer_->End(MakeError(Reason::kShutDown, "the plugin is ending",
                                "the host has asked for it"));
    ended.Notify();
  });
  ended.WaitForNotification();
}

absl::Status MuxListener::Listen(Endpoint::Network network,
                                 const ServerPlan& plan) {
  return network == Endpoint::Network::kUnix ? ListenUnix(plan)
                                             : ListenTcp(plan);
}

absl::Status MuxListener::ListenUnix(const ServerPlan& plan) {
  absl::StatusOr<std::unique_ptr<PluginSocket>> socket =
      PluginSocket::Listen(*plan.directories, kQueue);
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  endpoint_ = {Endpoint::Network::kUnix, socket_->path()};
  listener_ = socket_->TakeListener();
  return absl::OkStatus();
}

absl::Status MuxListener::ListenTcp(const ServerPlan& plan) {
  absl::StatusOr<int> port =
      WalkPorts(plan.min_port, plan.max_port, [this](int candidate) {
        int taken = 0;
        listener_ = ListenAtPort(candidate, &taken);
        return absl::StatusOr<int>(listener_.valid() ? taken : 0);
      });
  if (!port.ok()) return port.status();
  endpoint_ = {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", *port)};
  return absl::OkStatus();
}

void MuxListener::OnConnection() {
  UniqueFd connection(
      accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection.valid()) {
    // Whoever waits is still there when there are descriptors again.
    return retry_->Start(kRetryDelay, [this] { watch_->WaitReadable(); });
  }
  // One is all that the protocol knows. Whoever comes later is refused.
  watch_.reset();
  listener_.reset();
  multiplexer_->Start(std::move(connection));
}

}  // namespace goplugin::internal
