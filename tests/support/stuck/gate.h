#ifndef TESTS_SUPPORT_STUCK_GATE_H_
#define TESTS_SUPPORT_STUCK_GATE_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::testing {

// Where those who misbehave get stuck until the test lets them go. Thread-safe.
class Gate {
 public:
  // Returns once the gate is open.
  void Pass() {
    internal::MutexLock lock(mutex_);
    ++came_;
    mutex_.Await(absl::Condition(&open_));
  }

  void Open() {
    internal::MutexLock lock(mutex_);
    open_ = true;
  }

  // Whether at least `count` have come, in time.
  bool AwaitArrivals(int count, absl::Duration timeout) {
    const auto here = [&] {
      mutex_.AssertReaderHeld();
      return came_ >= count;
    };
    internal::MutexLock lock(mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&here), timeout);
  }

 private:
  absl::Mutex mutex_;
  int came_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_STUCK_GATE_H_
