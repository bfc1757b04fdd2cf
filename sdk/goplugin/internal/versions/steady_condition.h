#ifndef GOPLUGIN_INTERNAL_VERSIONS_STEADY_CONDITION_H_
#define GOPLUGIN_INTERNAL_VERSIONS_STEADY_CONDITION_H_

#include <chrono>
#include <condition_variable>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

// What is waited for a time for, under an absl::Mutex. Abseil's own waits with
// a timeout go by the wall clock in 2022: where that is set back by an hour
// they take an hour longer, and where it is set forward they are over at once.
// These go by the steady one.
//
// Whoever changes what a condition looks at calls NotifyAll. Thread-safe.
class SteadyCondition {
 public:
  void NotifyAll() { changed_.notify_all(); }

  // All with `mutex` held, which is let go of meanwhile. Until somebody
  // notifies, or for no reason.
  void Wait(absl::Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable<absl::Mutex> lock{mutex};
    changed_.wait(lock);
  }
  // The same, at most until `deadline`.
  void WaitUntil(absl::Mutex& mutex,
                 std::chrono::steady_clock::time_point deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable<absl::Mutex> lock{mutex};
    changed_.wait_until(lock, deadline);
  }
  // Until `condition()`, at most `timeout`, which may be any duration. What the
  // condition said last.
  template <typename Condition>
  bool WaitFor(absl::Mutex& mutex, absl::Duration timeout, Condition condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable<absl::Mutex> lock{mutex};
    if (timeout >= kForEver) {
      changed_.wait(lock, condition);
      return true;
    }
    const auto deadline =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
    return changed_.wait_until(lock, deadline, condition);
  }

 private:
  // A hundred years: adding more to the clock may overflow.
  static constexpr absl::Duration kForEver = absl::Hours(24 * 36500);

  template <typename Mutex, typename = void>
  struct IsLockable : std::false_type {};
  template <typename Mutex>
  struct IsLockable<Mutex, std::void_t<decltype(std::declval<Mutex&>().lock())>>
      : std::true_type {};

  // What the standard library takes for a mutex: absl::Mutex is that today, and
  // spells it otherwise in 2022.
  template <typename Mutex>
  struct Lockable {
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if constexpr (IsLockable<Mutex>::value) {
        mutex.lock();
      } else {
        mutex.Lock();
      }
    }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if constexpr (IsLockable<Mutex>::value) {
        mutex.unlock();
      } else {
        mutex.Unlock();
      }
    }
    Mutex& mutex;
  };

  std::condition_variable_any changed_;
};

// absl::Notification for waits with a timeout.
class SteadyNotification {
 public:
  SteadyNotification() = default;
  // Waits until a Notify under way is over.
  ~SteadyNotification() { MutexLock lock(mutex_); }
  SteadyNotification(const SteadyNotification&) = delete;
  SteadyNotification& operator=(const SteadyNotification&) = delete;

  void Notify() {
    MutexLock lock(mutex_);
    notified_ = true;
    changed_.NotifyAll();
  }
  bool WaitFor(absl::Duration timeout) {
    MutexLock lock(mutex_);
    return changed_.WaitFor(mutex_, timeout, [this] {
      mutex_.AssertReaderHeld();
      return notified_;
    });
  }

 private:
  absl::Mutex mutex_;
  SteadyCondition changed_;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_VERSIONS_STEADY_CONDITION_H_
