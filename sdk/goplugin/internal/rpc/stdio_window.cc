#include "goplugin/internal/rpc/stdio_window.h"

#include <chrono>
#include <memory>

#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

std::shared_ptr<void> StdioWindow::Add(size_t bytes) {
  // A plugin may send them byte for byte.
  bytes += Lane::kCallbackBytes;
  {
    MutexLock lock(mutex_);
    bytes_ += bytes;
  }
  // Not a pointer to anything that is looked at: its deleter is the point.
  return std::shared_ptr<void>(nullptr, [self = shared_from_this(), bytes](
                                            void*) { self->Remove(bytes); });
}

void StdioWindow::Remove(size_t bytes) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
  if (bytes_ > kRoom) return;
  patient_ = true;
  if (wait_.has_value()) wait_->Cancel();
}

bool StdioWindow::Overflows() const {
  MutexLock lock(mutex_);
  return bytes_ >= kSize && !Waits();
}

bool StdioWindow::Wait(CallQueue& queue, CallQueue::Tag& tag) {
  MutexLock lock(mutex_);
  if (bytes_ < kSize || !Waits()) return false;
  progress_before_ = progress_();
  wait_.emplace();
  wait_->Set(
      queue.completion_queue(),
      std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kPatience),
      tag.tag());
  return true;
}

void StdioWindow::OnWaited(bool timed_out) {
  MutexLock lock(mutex_);
  wait_.reset();
  if (timed_out && progress_() == progress_before_) patient_ = false;
}

void StdioWindow::Cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (wait_.has_value()) wait_->Cancel();
}

}  // namespace goplugin::internal
