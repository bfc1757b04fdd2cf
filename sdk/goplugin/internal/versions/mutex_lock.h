#ifndef GOPLUGIN_INTERNAL_VERSIONS_MUTEX_LOCK_H_
#define GOPLUGIN_INTERNAL_VERSIONS_MUTEX_LOCK_H_

#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace goplugin::internal {

// absl::MutexLock, which takes a pointer in Abseil of 2022 and a reference
// today.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(absl::Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : lock_(As<Argument>(mutex)) {}
  ~MutexLock() ABSL_UNLOCK_FUNCTION() = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  using Argument =
      std::conditional_t<std::is_constructible_v<absl::MutexLock, absl::Mutex&>,
                         absl::Mutex&, absl::Mutex*>;

  template <typename Type>
  static Type As(absl::Mutex& mutex) {
    if constexpr (std::is_pointer_v<Type>) {
      return &mutex;
    } else {
      return mutex;
    }
  }

  absl::MutexLock lock_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_VERSIONS_MUTEX_LOCK_H_
