#ifndef GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
#define GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_

#include <grpcpp/completion_queue.h>

#include <chrono>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// The thread that completes the SDK's own calls. They do not use gRPC's
// callback threads: those belong to the user as well, and a few user callbacks
// that sleep would stop the SDK.
//
// Where a thread that waits in gRPC polls for the whole process
// (versions/grpc_polling.h), it would get the answers to the user's calls
// first: three thread switches and a quarter of the processor time of a small
// call. So there this thread waits in gRPC only while somebody is in a hurry,
// and looks in every 20 ms otherwise. A stream that gathers is in a hurry for
// 50 ms after each piece. With today's gRPC it just waits, and hurry is
// nothing.
class CallQueue {
 public:
  // What is given to gRPC as a tag. Destroyed by whoever made it.
  class Tag {
   public:
    virtual void OnComplete(bool ok) = 0;
    // What TellPause asked for.
    virtual void OnPause() {}
    // What Run casts back: the address of this base, whatever derives from it.
    void* tag() { return this; }

   protected:
    ~Tag() = default;
  };

  // While one lives, what completes is told at once. The queue outlives it.
  class Hurry {
   public:
    explicit Hurry(CallQueue& queue);
    ~Hurry();
    Hurry(const Hurry&) = delete;
    Hurry& operator=(const Hurry&) = delete;

   private:
    CallQueue& queue_;
  };

  CallQueue();
  // Every call must have been cancelled or have ended; waits for the last
  // Hurry, which a stream holds from then on, and for their last events, which
  // needs nothing from the plugin, and joins.
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  // kResources where the system gave no thread: no call may be made.
  const absl::Status& status() const { return status_; }

  // Whether nobody is in a hurry, after at most `timeout`: no call is under
  // way.
  bool WaitUntilCalm(absl::Duration timeout);

  grpc::CompletionQueue* completion_queue() { return &queue_; }

  // `tag` gathers what comes at once: its OnPause is called when nothing more
  // is there, and at the latest when another tag asks for the same. What brings
  // one piece mostly brings more, so this is a hurry as well. From OnComplete
  // only.
  void TellPause(Tag* tag);
  // `tag` does not want to be told any more. From OnComplete only.
  void ForgetPause(const Tag* tag);

 private:
  void Run();
  // How long the thread may wait in gRPC; waits for a hurry first.
  std::chrono::system_clock::time_point UntilWhen();
  void Pause();
  // Whether anybody is in a hurry, now or within the time between two looks.
  bool WaitForHurry();
  bool hurried() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return hurries_ > 0;
  }
  bool unhurried() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return hurries_ == 0;
  }

  grpc::CompletionQueue queue_;
  // On the thread only.
  Tag* gathers_ = nullptr;
  std::chrono::steady_clock::time_point hurry_until_;
  absl::Mutex mutex_;
  int hurries_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
