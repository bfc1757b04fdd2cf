#ifndef GOPLUGIN_INTERNAL_RPC_STDIO_WINDOW_H_
#define GOPLUGIN_INTERNAL_RPC_STDIO_WINDOW_H_

#include <grpcpp/alarm.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/rpc/call_queue.h"

namespace goplugin::internal {

// How much output was handed on and is still on its way to the sink. The
// stream reads on when there is room again: a sink that keeps up misses
// nothing, however much comes at once.
//
// A sink that does not move for kPatience is not waited for any more until it
// has caught up. What comes meanwhile is handed on all the same; who takes it
// may drop what overflows.
//
// Thread-safe, but for Wait and OnWaited, which are the stream's.
class StdioWindow : public std::enable_shared_from_this<StdioWindow> {
 public:
  // With so much on its way, which counts each piece with what it takes
  // besides, the stream waits ...
  static constexpr size_t kSize = size_t{4} * 1024 * 1024;
  // ... until it is no more than this.
  static constexpr size_t kRoom = kSize / 2;
  static constexpr absl::Duration kPatience = absl::Seconds(1);

  // `progress` grows while the sink moves: it may be busy with other things
  // than what was handed on here.
  explicit StdioWindow(std::function<std::uint64_t()> progress)
      : progress_(std::move(progress)) {}

  // `bytes` are handed on; they are on their way while what it gives lives.
  std::shared_ptr<void> Add(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether more is on its way than is waited for.
  bool Overflows() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether there is something to wait for: then `tag` completes on `queue`
  // when that is over, and calls OnWaited.
  bool Wait(CallQueue& queue, CallQueue::Tag& tag) ABSL_LOCKS_EXCLUDED(mutex_);
  // `timed_out` as the completion was ok.
  void OnWaited(bool timed_out) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the wait, and any later one.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Remove(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  bool Waits() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return patient_ && !cancelled_;
  }

  const std::function<std::uint64_t()> progress_;
  mutable absl::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the wait under way began.
  std::uint64_t progress_before_ ABSL_GUARDED_BY(mutex_) = 0;
  bool patient_ ABSL_GUARDED_BY(mutex_) = true;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<grpc::Alarm> wait_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_STDIO_WINDOW_H_
