#ifndef GOPLUGIN_INTERNAL_RPC_CALL_BELL_H_
#define GOPLUGIN_INTERNAL_RPC_CALL_BELL_H_

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace goplugin::internal {

// Rung by every call that begins on a plugin's channel: a thread that polls for
// the whole process while there is nothing else to do then makes room for the
// caller's (CallQueue). Costs a call some nanoseconds, and the first one after
// a while a few microseconds.
//
// Thread-safe. Channels hold it, and may outlive the queue.
class CallBell {
 public:
  // `queue` must be open until Remove.
  explicit CallBell(grpc::CompletionQueue& queue) : queue_(&queue) {}
  CallBell(const CallBell&) = delete;
  CallBell& operator=(const CallBell&) = delete;

  void Ring();

  // The queue's side. Whether it was rung since the last time.
  bool TakeRing();
  // Until StopListening, the next ring is an event on the queue, with a null
  // tag. False when it was rung already.
  bool Listen();
  void StopListening();
  // The queue gets no more events. Waits for those that are being put there.
  void Remove() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  bool nobody_wakes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return waking_ == 0;
  }

  std::atomic<bool> rung_{false};
  std::atomic<bool> listens_{false};
  absl::Mutex mutex_;
  grpc::CompletionQueue* queue_ ABSL_GUARDED_BY(mutex_);
  int waking_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_CALL_BELL_H_
