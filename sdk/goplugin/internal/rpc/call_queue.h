#ifndef GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
#define GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_

#include <grpcpp/completion_queue.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/rpc/call_bell.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

// The thread that completes the SDK's own calls. They do not use gRPC's
// callback threads: those belong to the user as well, and a few user callbacks
// that sleep would stop the SDK.
//
// Where a thread that waits in gRPC polls for the whole process
// (versions/grpc_polling.h), it would get the answers to the user's calls
// first: three thread switches and a quarter of the processor time of a small
// call. So there this thread is
//
//   in a hurry   when somebody waits for what it brings: waits in gRPC
//   beside       while there are calls, or others keep it busy: looks in every
//                20 ms
//   alone        when no call has begun for 0.2 s: waits in gRPC, and wakes
//                once in 2 s to see whether it really is
//
// A call that begins rings (CallBell), and sends it from the third state to the
// second. What does not ring (long streams, channels and servers of the host's
// own) is told by how often the thread was woken for nothing: then it is beside
// for a second at a time. A stream that gathers is in a hurry for 50 ms after
// each piece. With today's gRPC the thread just waits, and hurry is nothing.
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

  // To be rung by the channels' calls; null where that is of no use.
  const std::shared_ptr<CallBell>& bell() const { return bell_; }

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
  // How long the thread may wait in gRPC; where it is beside, it waits for a
  // hurry first.
  std::chrono::system_clock::time_point UntilWhen();
  bool IsAlone();
  // After a wait in gRPC.
  void OnWaited(bool for_nothing);
  void Pause();
  // Whether anybody is in a hurry, now or within the time between two looks.
  bool WaitForHurry();
  bool IsInHurry();
  bool unhurried() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return hurries_ == 0;
  }

  grpc::CompletionQueue queue_;
  // On the thread only.
  Tag* gathers_ = nullptr;
  std::chrono::steady_clock::time_point hurry_until_;
  std::chrono::steady_clock::time_point beside_until_;
  std::chrono::milliseconds alone_for_{0};  // not 0: it waits as one alone
  std::chrono::milliseconds next_alone_for_;
  std::int64_t switches_before_ = 0;
  const std::shared_ptr<CallBell> bell_;
  absl::Mutex mutex_;
  SteadyCondition changed_;
  int hurries_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_;
  SdkThread thread_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_CALL_QUEUE_H_
