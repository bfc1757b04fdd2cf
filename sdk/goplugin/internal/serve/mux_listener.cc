#include "goplugin/internal/serve/mux_listener.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/mux/private_socket.h"

namespace goplugin::internal {
namespace {

// For the last words on their way to the host.
constexpr absl::Duration kDrainTime = absl::Milliseconds(200);
constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

}  // namespace

MuxListener::MuxListener(std::unique_ptr<PluginListener> listener,
                         std::shared_ptr<AcceptThreads> threads,
                         std::shared_ptr<PluginDirectories> directories,
                         std::shared_ptr<ConnectionIntake> intake,
                         Callbacks callbacks)
    : threads_(std::move(threads)),
      place_(std::move(listener)),
      listener_(place_->Take()) {
  Multiplexer::Options options;
  options.role = YamuxRole::kServer;
  options.peer = "host";
  options.main_server = [acceptors = threads_->acceptors(),
                         intake = std::move(intake)](LocalEnd connection) {
    acceptors->HandOver([intake, connection = std::move(connection)]() mutable {
      intake->Take(std::move(connection));
    });
  };
  options.place = PlaceForStreams();
  options.make_door =
      [directories = std::move(directories)]() -> absl::StatusOr<DoorSocket> {
    absl::StatusOr<std::shared_ptr<const Directory>> doors =
        directories->Doors();
    if (!doors.ok()) return doors.status();
    return MakeDoorSocketIn(**doors);
  };
  options.warn = std::move(callbacks.warn);
  options.on_end = [gone = std::move(callbacks.on_host_gone)](
                       const absl::Status& /*status*/) { gone(); };
  multiplexer_ = Multiplexer::Create(threads_->loop(), std::move(options));
}

void MuxListener::Accept() {
  EventLoop& loop = threads_->loop();
  loop.Post([this, &loop] {
    retry_ = std::make_unique<Timer>(loop);
    watch_ = std::make_unique<DescriptorWatch>(
        loop, listener_.get(),
        DescriptorWatch::Callbacks{[this] { OnConnection(); }, nullptr});
    watch_->WaitReadable();
  });
}

MuxListener::~MuxListener() {
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
