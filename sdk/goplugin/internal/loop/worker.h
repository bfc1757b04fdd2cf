#ifndef GOPLUGIN_INTERNAL_LOOP_WORKER_H_
#define GOPLUGIN_INTERNAL_LOOP_WORKER_H_

#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// One thread that runs blocking tasks in order.
class Worker {
 public:
  explicit Worker(const char* thread_name);
  // Runs what was posted, then joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // kResources where the system gave no thread: nothing that is posted runs.
  const absl::Status& status() const { return status_; }

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
  absl::Status status_;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_WORKER_H_
