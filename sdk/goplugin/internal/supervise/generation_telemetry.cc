#include "goplugin/internal/supervise/generation_telemetry.h"

#include <utility>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

void GenerationTelemetry::Crashed(absl::Status why) {
  MutexLock lock(mutex_);
  crash_ = std::move(why);
}

void GenerationTelemetry::OnLaunch(const LaunchEvent& event) {
  Tell(&Telemetry::OnLaunch, event);
}

void GenerationTelemetry::OnExit(const ExitEvent& event) {
  ExitEvent seen = event;
  {
    MutexLock lock(mutex_);
    if (!crash_.ok()) {
      seen.cause = ExitEvent::Cause::kCrash;
      seen.error = crash_;
    }
  }
  Tell(&Telemetry::OnExit, std::move(seen));
}

void GenerationTelemetry::OnDropped(const DroppedEvent& event) {
  Tell(&Telemetry::OnDropped, event);
}

void GenerationTelemetry::OnDial(const DialEvent& event) {
  Tell(&Telemetry::OnDial, event);
}

void GenerationTelemetry::OnUsage(const UsageEvent& event) {
  Tell(&Telemetry::OnUsage, event);
}

}  // namespace goplugin::internal
