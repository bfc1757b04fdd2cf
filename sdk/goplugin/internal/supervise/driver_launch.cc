#include <cstdint>
#include <memory>
#include <utility>

#include "goplugin/internal/supervise/driver.h"
#include "goplugin/internal/supervise/supervise_error.h"

// How its generations come to be.

namespace goplugin::internal {
namespace {

// How many threads a supervisor may leave in the host's own code, and how many
// may be there for each generation that there is: sinks, Telemetry, prepare,
// interceptors.
constexpr std::int64_t kMaxStuck = 16;
constexpr std::int64_t kVisitors = 4;

}  // namespace

void Driver::Launch(const Decision& decision) {
  const std::uint64_t id = decision.generation;
  const Source& source = sources_.at(decision.version);
  const std::int64_t stuck = host_code_->threads();
  if (stuck >
      kMaxStuck + kVisitors * static_cast<std::int64_t>(plugins_.size())) {
    const absl::Status why =
        OfReplica(TooMuchStuckError(stuck), decision.slot, id);
    return Post([id, why](Machine& machine, absl::Duration now) {
      machine.OnStartFailed(now, id, why, /*unhealable=*/false);
    });
  }
  const auto plugin = std::make_shared<LivePlugin>(
      runtime_, starts_, host_code_, decision.slot, id);
  plugins_.emplace(id, plugin);
  LivePlugin::Events events;
  const auto self = shared_from_this();
  events.on_launched = [self, raw = plugin.get()] { self->OnLaunched(*raw); };
  events.on_start_failed =
      [self, id, by_runner = source.by_runner](const absl::Status& why) {
        self->Tell([&](Machine& machine, absl::Duration now) {
          machine.OnStartFailed(now, id, why, IsUnhealable(why, by_runner));
        });
      };
  events.on_prepared = [self, id](const absl::Status& result) {
    self->Tell([&](Machine& machine, absl::Duration now) {
      machine.OnPrepared(now, id, result,
                         IsUnhealable(result, /*by_runner=*/false));
    });
  };
  events.on_health = [self, id](HealthAnswer answer) {
    self->Tell([&](Machine& machine, absl::Duration now) {
      machine.OnHealth(now, id, answer);
    });
  };
  events.on_exited = [self, id](const absl::Status& why) {
    self->Tell([&](Machine& machine, absl::Duration now) {
      machine.OnExited(now, id, why);
    });
  };
  events.on_ended = [self, id](const absl::Status& result) {
    self->Tell([&](Machine& machine, absl::Duration now) {
      machine.OnEnded(now, id, result);
    });
  };
  plugin->Launch(source, client_options_, std::move(events));
}

void Driver::OnLaunched(LivePlugin& plugin) {
  const std::uint32_t version = plugin.client()->protocol_version();
  const auto& generations = machine_.replicas().generations();
  const auto generation = generations.find(plugin.generation());
  // One that is only tried does not fix it.
  const bool is_tried = generation != generations.end() &&
                        generation->second.version != machine_.version();
  if (!app_version_.has_value() && !is_tried) app_version_ = version;
  const bool fits = options_.allow_version_change ||
                    version == app_version_.value_or(version);
  Tell([&](Machine& machine, absl::Duration now) {
    if (fits) return machine.OnLaunched(now, plugin.generation());
    machine.OnPrepared(now, plugin.generation(),
                       OfReplica(VersionError(*app_version_, version),
                                 plugin.replica(), plugin.generation()),
                       /*unhealable=*/true);
  });
}

}  // namespace goplugin::internal
