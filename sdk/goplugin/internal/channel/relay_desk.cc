#include "goplugin/internal/channel/relay_desk.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

std::string RelayDesk::Leave(std::shared_ptr<const RelayTicket> ticket) {
  MutexLock lock(mutex_);
  std::string name = absl::StrCat(++last_name_);
  left_.emplace(name, std::move(ticket));
  return name;
}

void RelayDesk::Drop(const std::string& name) {
  std::shared_ptr<const RelayTicket> dropped;  // outside of the lock
  MutexLock lock(mutex_);
  const auto left = left_.find(name);
  if (left == left_.end()) return;
  dropped = std::move(left->second);
  left_.erase(left);
}

void RelayDesk::Await() {
  MutexLock lock(mutex_);
  ++awaited_;
}

void RelayDesk::StopAwaiting() {
  MutexLock lock(mutex_);
  --awaited_;
}

std::shared_ptr<const RelayTicket> RelayDesk::Take(const std::string& name) {
  MutexLock lock(mutex_);
  ++taken_;
  const auto left = left_.find(name);
  if (left == left_.end()) return nullptr;
  std::shared_ptr<const RelayTicket> ticket = std::move(left->second);
  left_.erase(left);
  return ticket;
}

void RelayDesk::OnCallEnd() {
  MutexLock lock(mutex_);
  --taken_;
}

void RelayDesk::WaitForWork() {
  MutexLock lock(mutex_);
  mutex_.Await(absl::Condition(
      +[](RelayDesk* desk)
           ABSL_NO_THREAD_SAFETY_ANALYSIS { return desk->HasWork(); },
      this));
}

bool RelayDesk::Post(RelayStep& step) {
  grpc::CompletionQueue* queue = nullptr;
  {
    MutexLock lock(mutex_);
    if (closed_) return false;
    ++posted_;
    queue = queue_;
  }
  // Without the lock: what gRPC does here may begin calls. One that has gone
  // off, or is cancelled, brings its tag.
  grpc::Alarm alarm;
  alarm.Set(queue, std::chrono::system_clock::time_point(), step.tag());
  return true;
}

void RelayDesk::OnPosted() {
  MutexLock lock(mutex_);
  --posted_;
}

void RelayDesk::Open(grpc::CompletionQueue* queue) {
  MutexLock lock(mutex_);
  queue_ = queue;
  closed_ = false;
}

void RelayDesk::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

bool RelayDesk::closed() {
  MutexLock lock(mutex_);
  return closed_;
}

void RelayDesk::WaitUntilIdle() {
  MutexLock lock(mutex_);
  mutex_.Await(absl::Condition(
      +[](RelayDesk* desk)
           ABSL_NO_THREAD_SAFETY_ANALYSIS { return desk->IsIdle(); },
      this));
}

}  // namespace goplugin::internal
