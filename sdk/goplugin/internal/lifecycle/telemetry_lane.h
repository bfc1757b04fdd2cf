#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_TELEMETRY_LANE_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_TELEMETRY_LANE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "goplugin/internal/loop/pool.h"
#include "goplugin/telemetry.h"

namespace goplugin::internal {

// The way of events to a user's Telemetry: one at a time and in order; where
// too many wait the oldest are dropped, and that is told. Thread-safe.
class TelemetryLane {
 public:
  // `who` is asked for the plugin of which events were dropped.
  TelemetryLane(std::shared_ptr<Telemetry> user, Pool& pool,
                std::function<PluginIdentity()> who)
      : user_(std::move(user)),
        lane_(std::make_shared<Lane>(
            pool, [user = user_, who = std::move(who)](std::size_t lost) {
              user->OnDropped({who(), /*entries=*/0, lost});
            })) {}

  // Never waits. `text`: the bytes of the event's strings, about.
  template <typename Event>
  void Tell(void (Telemetry::*take)(const Event&), Event event,
            std::size_t text) {
    const std::size_t size = sizeof event + event.plugin.name.size() + text;
    lane_->PostDroppable(1, size,
                         [user = user_, take, event = std::move(event)] {
                           (user.get()->*take)(event);
                         });
  }

 private:
  const std::shared_ptr<Telemetry> user_;
  const std::shared_ptr<Lane> lane_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_TELEMETRY_LANE_H_
