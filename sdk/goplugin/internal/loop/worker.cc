#include "goplugin/internal/loop/worker.h"

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

Worker::Worker(const char* thread_name) {
  absl::StatusOr<SdkThread> thread =
      StartSdkThread(thread_name, [this] { Run(); });
  status_ = thread.status();
  if (thread.ok()) thread_ = *std::move(thread);
}

Worker::~Worker() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  thread_.Join();
}

void Worker::Post(absl::AnyInvocable<void()> task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
}

void Worker::Run() {
  while (true) {
    absl::AnyInvocable<void()> task;
    {
      MutexLock lock(mutex_);
      mutex_.Await(absl::Condition(this, &Worker::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace goplugin::internal
