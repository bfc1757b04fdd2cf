#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_TOLD_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_TOLD_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

// Whether a launch's callback has returned. Shared by the operation and the
// callback: the session may be gone while the callback still runs. Thread-safe.
class Told {
 public:
  void Notify();
  // Once the process exits, nothing of the host's is called any more: then it
  // waits a second for a callback that has begun, and no longer. False when it
  // has not returned.
  bool Wait() const;

  // True once: for the first of those who want what was told.
  bool Claim();

 private:
  bool WaitFor(absl::Duration timeout) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  mutable SteadyCondition changed_;
  bool told_ ABSL_GUARDED_BY(mutex_) = false;
  bool claimed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_TOLD_H_
