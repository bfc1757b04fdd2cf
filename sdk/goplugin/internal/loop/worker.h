#ifndef GOPLUGIN_INTERNAL_LOOP_WORKER_H_
#define GOPLUGIN_INTERNAL_LOOP_WORKER_H_

#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// One thread that runs short blocking tasks in order: the spawner. Plugins ask
// for a signal at the death of the thread that started them, so this one must
// live as long as any plugin does.
class Worker {
 public:
  explicit Worker(const char* thread_name);
  // Runs what was posted, then joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Thread-safe.
  void Post(absl::AnyInvocable<void()> task);

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !tasks_.empty();
  }

  absl::Mutex mutex_;
  std::deque<absl::AnyInvocable<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_WORKER_H_
