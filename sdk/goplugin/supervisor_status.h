#ifndef GOPLUGIN_SUPERVISOR_STATUS_H_
#define GOPLUGIN_SUPERVISOR_STATUS_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/language.h"

namespace goplugin {

// How a supervised plugin is.
enum class SupervisorState {
  kStarting,    // no replica has been ready yet
  kReady,       // all replicas take calls
  kDegraded,    // some replicas are missing, or do not want calls
  kRestarting,  // there is none, and the next is on its way
  kGaveUp,      // there is none, and the breaker is open
  kStopped,     // no process is wanted: before the first call of kLazy, after
                // idle_timeout, and after Shutdown
};

// "starting", "ready", "degraded", "restarting", "gave up", "stopped".
const char* SupervisorStateName(SupervisorState state);

// One replica as it is now. A plain value.
struct ReplicaStatus {
  int replica = 0;  // from 0 on
  // Counts all starts of this supervisor, from 1 on; 0 when there is none. Of a
  // replica that is being replaced, the old one.
  std::uint64_t generation = 0;
  // -1 when there is none, or it is out of reach.
  pid_t pid = -1;
  // Calls may go to it.
  bool in_use = false;
  // Since it was ready.
  absl::Duration uptime = absl::ZeroDuration();
  // Including those on generations that are on their way out.
  int calls_under_way = 0;
  // For how long none of its calls under way has ended or got a message; 0
  // without any. Looked at with each question for its health, so rather too
  // long, by one HealthPolicy::interval. A plugin that answers for its health
  // and hangs in its calls is seen by this alone.
  absl::Duration silent = absl::ZeroDuration();
  // Starts after the first that no Replace asked for.
  int restarts = 0;
  // Why it last failed, with the crash report; OK when it never did.
  absl::Status last_failure;
  // Until it is started again; InfiniteDuration when that is not planned.
  absl::Duration next_attempt = absl::InfiniteDuration();
};

// All of them. A plain value.
struct SupervisorStatus {
  SupervisorState state = SupervisorState::kStarting;
  // Nothing is restarted before next_attempt. Replicas that live may go on.
  bool breaker_open = false;
  std::vector<ReplicaStatus> replicas = {};
  // Of any replica, the latest; OK when there was none.
  absl::Status last_failure;
};

}  // namespace goplugin

#endif  // GOPLUGIN_SUPERVISOR_STATUS_H_
