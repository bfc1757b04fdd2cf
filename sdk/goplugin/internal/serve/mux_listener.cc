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
      listen(listener.get(), /*backlog=*/1) == 0 &&
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address),
                  &size) == 0;
  if (!listens) return UniqueFd();
  *taken = ntohs(address.sin_port);
  return listener;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MuxListener>> MuxListener::Start(
    const ServerPlan& plan, const std::string& main_socket,
    Callbacks callbacks) {
  auto listener = absl::WrapUnique(new MuxListener());
  absl::Status listens = ListenOnFirst(plan.networks, [&](auto network) {
    return listener->Listen(network, plan);
  });
  if (!listens.ok()) return listens;
  Multiplexer::Options options;
  options.role = YamuxRole::kServer;
  options.peer = "host";
  options.main_socket = main_socket;
  options.warn = std::move(callbacks.warn);
  options.on_end = [gone = std::move(callbacks.on_host_gone)](
                       const absl::Status& /*status*/) { gone(); };
  listener->multiplexer_ =
      Multiplexer::Create(listener->loop_, std::move(options));
  listener->loop_.Post([self = listener.get()] {
    self->watch_ = std::make_unique<DescriptorWatch>(
        self->loop_, self->listener_.get(),
        DescriptorWatch::Callbacks{[self] { self->OnConnection(); }, nullptr});
    self->watch_->WaitReadable();
  });
  return listener;
}

MuxListener::~MuxListener() {
  if (multiplexer_ != nullptr) {
    absl::Notification drained;
    multiplexer_->Drain(kDrainTime, [&drained] { drained.Notify(); });
    drained.WaitForNotification();
    absl::Notification ended;
    loop_.Post([this, &ended] {
      watch_.reset();
      multiplexer_->End(MakeError(Reason::kShutDown, "the plugin is ending",
                                  "the host has asked for it"));
      ended.Notify();
    });
    ended.WaitForNotification();
  }
}

absl::Status MuxListener::Listen(Endpoint::Network network,
                                 const ServerPlan& plan) {
  return network == Endpoint::Network::kUnix ? ListenUnix(plan)
                                             : ListenTcp(plan);
}

absl::Status MuxListener::ListenUnix(const ServerPlan& plan) {
  absl::StatusOr<std::unique_ptr<PluginSocket>> socket =
      PluginSocket::Create(plan.socket_directory, plan.socket_group);
  if (!socket.ok()) return socket.status();
  absl::StatusOr<UniqueFd> listener = UniqueFd();
  {
    PrivateUmask umask;
    listener = ListenAt((*socket)->path());
  }
  if (!listener.ok()) return listener.status();
  absl::Status restricted = (*socket)->RestrictAccess();
  if (!restricted.ok()) return restricted;
  endpoint_ = {Endpoint::Network::kUnix, (*socket)->path()};
  socket_ = *std::move(socket);
  listener_ = *std::move(listener);
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
  if (!connection.valid()) return watch_->WaitReadable();
  // One is all that the protocol knows. Whoever comes later is refused.
  watch_.reset();
  listener_.reset();
  multiplexer_->Start(std::move(connection));
}

}  // namespace goplugin::internal
