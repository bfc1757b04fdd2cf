#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_TELEMETRY_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_TELEMETRY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/lifecycle/telemetry_lane.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/telemetry.h"

namespace goplugin::internal {

// One client's events, on their way to the user's Telemetry. Thread-safe; none
// of the methods waits.
class SessionTelemetry : public std::enable_shared_from_this<SessionTelemetry> {
 public:
  // Null when the user wants none.
  static std::shared_ptr<SessionTelemetry> Create(const ClientOptions& options,
                                                  Pool& pool);

  // Who it is, as soon as that is known.
  void Name(std::string name, pid_t pid);

  void Launched(const absl::Status& status, const LaunchTimings& timings,
                absl::Duration took);
  // All of `event` but its plugin.
  void Exited(ExitEvent event);
  void Dropped(std::size_t entries);
  void Dialled(std::uint32_t id, const absl::Status& status,
               absl::Duration took);
  // Reads what the process uses, in /proc, which may take its time; false where
  // that was not to be had.
  bool Sample();

 private:
  SessionTelemetry() = default;

  PluginIdentity plugin() const;
  // On the lane.
  template <typename Event>
  void Tell(void (Telemetry::*take)(const Event&), Event event);

  std::unique_ptr<TelemetryLane> lane_;
  mutable absl::Mutex mutex_;
  PluginIdentity plugin_ ABSL_GUARDED_BY(mutex_);
  // Of the process that was sampled first; 0: none yet.
  std::uint64_t start_time_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_TELEMETRY_H_
