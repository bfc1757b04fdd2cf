#include <cstddef>
#include <utility>

#include "goplugin/internal/supervise/driver.h"
#include "goplugin/telemetry.h"

// What it tells the user's Telemetry.

namespace goplugin::internal {
namespace {

using Kind = Happening::Kind;

std::size_t TextOf(const absl::Status& status) {
  return 2 * status.message().size();
}

BreakerEvent::State BreakerStateOf(Kind kind) {
  if (kind == Kind::kBreakerOpen) return BreakerEvent::State::kOpen;
  return kind == Kind::kBreakerProbing ? BreakerEvent::State::kProbing
                                       : BreakerEvent::State::kClosed;
}

}  // namespace

void Driver::TellTelemetry() {
  for (const Happening& happening : machine_.TakeHappenings()) {
    if (telemetry_ != nullptr) TellTelemetry(happening);
  }
}

void Driver::TellTelemetry(const Happening& happening) {
  PluginIdentity plugin = IdentityOf(happening);
  const std::size_t text = TextOf(happening.status);
  switch (happening.kind) {
    case Kind::kFailure:
      return telemetry_->Tell(
          &Telemetry::OnFailure,
          FailureEvent{std::move(plugin), happening.status, happening.wait},
          text);
    case Kind::kRestart:
      return telemetry_->Tell(
          &Telemetry::OnRestart,
          RestartEvent{std::move(plugin), happening.status, happening.restarts},
          text);
    case Kind::kBreakerOpen:
    case Kind::kBreakerProbing:
    case Kind::kBreakerClosed:
      return telemetry_->Tell(
          &Telemetry::OnBreaker,
          BreakerEvent{std::move(plugin), BreakerStateOf(happening.kind),
                       happening.status, happening.wait},
          text);
    case Kind::kServing:
    case Kind::kNotServing:
      return telemetry_->Tell(
          &Telemetry::OnHealth,
          HealthEvent{std::move(plugin), happening.kind == Kind::kServing},
          text);
  }
}

void Driver::TellTelemetry(SupervisorState state) {
  if (telemetry_ == nullptr) return;
  const absl::Status& why = machine_.last_failure();
  telemetry_->Tell(&Telemetry::OnSupervisorState,
                   SupervisorStateEvent{Identity(), state, why}, TextOf(why));
}

PluginIdentity Driver::IdentityOf(const Happening& happening) const {
  const auto found = plugins_.find(happening.generation);
  return found == plugins_.end() ? Identity() : found->second->identity();
}

PluginIdentity Driver::Identity() const {
  PluginIdentity plugin;
  const auto source = sources_.find(machine_.versions().front());
  if (source != sources_.end()) plugin.name = source->second.name;
  return plugin;
}

}  // namespace goplugin::internal
