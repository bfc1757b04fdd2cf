#include "goplugin/internal/rpc/call_bell.h"

#include <grpcpp/alarm.h>

#include <chrono>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

void CallBell::Ring() {
  // Read first: callers on many threads then share the line in their caches.
  if (!rung_.load(std::memory_order_relaxed)) rung_.store(true);
  if (listens_.load() && listens_.exchange(false)) Wake();
}

bool CallBell::TakeRing() { return rung_.exchange(false); }

bool CallBell::Listen() {
  listens_.store(true);
  // One that came before may not have seen that.
  if (!rung_.load()) return true;
  listens_.store(false);
  return false;
}

void CallBell::StopListening() { listens_.store(false); }

void CallBell::Wake() {
  grpc::CompletionQueue* queue = nullptr;
  {
    MutexLock lock(mutex_);
    if (queue_ == nullptr) return;
    ++waking_;
    queue = queue_;
  }
  {
    // Without the lock: what gRPC does here may begin calls. One that has gone
    // off can be let go of at once.
    grpc::Alarm alarm;
    alarm.Set(queue, std::chrono::system_clock::time_point(), nullptr);
  }
  MutexLock lock(mutex_);
  --waking_;
}

void CallBell::Remove() {
  MutexLock lock(mutex_);
  queue_ = nullptr;
  mutex_.Await(absl::Condition(this, &CallBell::nobody_wakes));
}

}  // namespace goplugin::internal
