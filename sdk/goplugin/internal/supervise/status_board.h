#ifndef GOPLUGIN_INTERNAL_SUPERVISE_STATUS_BOARD_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_STATUS_BOARD_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/supervisor_status.h"

namespace goplugin::internal {

// What any thread may see of a supervisor. Thread-safe. Times are those of the
// supervisor's stopwatch.
class StatusBoard {
 public:
  // One replica: what does not change by itself.
  struct Row {
    ReplicaStatus status;
    absl::Duration up_since = absl::InfiniteDuration();
    absl::Duration start_at = absl::InfiniteDuration();
    // When a call last said something, and what was heard until then.
    absl::Duration quiet_since = absl::ZeroDuration();
    std::uint64_t heard = 0;
    std::shared_ptr<Client> client;
    std::shared_ptr<const CallTarget> target;
    // Of those that are on their way out.
    std::vector<std::shared_ptr<const CallTarget>> leaving;
  };
  struct Picture {
    SupervisorState state = SupervisorState::kStarting;
    bool breaker_open = false;
    std::vector<Row> rows;
    absl::Status last_failure;
    // Counts failures; when the last one came.
    std::uint64_t failures = 0;
    absl::Duration failed_at = absl::ZeroDuration();
  };

  explicit StatusBoard(const Stopwatch& stopwatch) : stopwatch_(stopwatch) {}

  void Show(Picture picture);
  SupervisorStatus Read() const;
  // Of one in use; null when there is none.
  std::shared_ptr<Client> client(int replica) const;
  // The last failure if it came after `since`, or comes within `timeout`; else
  // OK.
  absl::Status WaitForFailure(absl::Duration since, absl::Duration timeout);
  absl::Duration now() const { return stopwatch_.Elapsed(); }

 private:
  const Stopwatch stopwatch_;
  mutable absl::Mutex mutex_;
  SteadyCondition changed_;
  Picture picture_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_STATUS_BOARD_H_
