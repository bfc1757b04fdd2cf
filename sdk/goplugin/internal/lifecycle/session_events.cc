#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/lifecycle/session_telemetry.h"
#include "goplugin/internal/lifecycle/steps.h"

// What a session tells the user's Telemetry.

namespace goplugin::internal {

void Session::TellLaunched(const absl::Status& status) {
  if (telemetry_ == nullptr) return;
  // Handed over, unless it failed.
  const ReadyPlugin& plugin = status.ok() ? plugin_ : source_->plugin();
  telemetry_->Name(plugin.name, status.ok() ? state_->pid : 0);
  telemetry_->Launched(status, plugin.timings, stopwatch_.Elapsed());
}

void Session::TellExited() {
  if (telemetry_ == nullptr) return;
  lifetime_ = stopwatch_.Elapsed() - plugin_.timings.ready;
  exit_telling_ = std::make_unique<Timer>(runtime_->loop());
  if (!state_->end()->by_stop || shutdown_asked_) return TellExitedNow();
  exit_telling_->Start(SessionState::kSameStop, [weak = weak_from_this()] {
    const std::shared_ptr<Session> self = weak.lock();
    if (self != nullptr) self->TellExitedNow();
  });
}

void Session::TellExitedNow() {
  if (exit_telling_ == nullptr) return;
  exit_telling_.reset();
  const SessionState::End end = *state_->end();
  ExitEvent event;
  event.cause = end.released                  ? ExitEvent::Cause::kReleased
                : end.unasked && !end.excused ? ExitEvent::Cause::kCrash
                                              : ExitEvent::Cause::kShutdown;
  event.status = end.exit_status;
  event.error = end.result;
  event.lifetime = lifetime_;
  telemetry_->Exited(std::move(event));
}

// Once more after each sample, whatever came of it: one that hangs gathers no
// crowd, and a descriptor that could not be had may be there the next time.
void Session::WatchUsage() {
  if (telemetry_ == nullptr || state_->pid <= 0 ||
      options_.usage_interval == absl::InfiniteDuration()) {
    return;
  }
  if (usage_ == nullptr) usage_ = std::make_unique<Timer>(runtime_->loop());
  usage_->Start(options_.usage_interval, [this] {
    TakeStep(
        steps_, runtime_->loop(), weak_from_this(),
        [telemetry = telemetry_] { return telemetry->Sample(); },
        [](Session& self, bool /*sampled*/) {
          if (self.at_ == State::kLive) self.WatchUsage();
        });
  });
}

}  // namespace goplugin::internal
