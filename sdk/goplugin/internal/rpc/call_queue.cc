#include "goplugin/internal/rpc/call_queue.h"

#include <chrono>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/grpc_polling.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// Between two looks while nobody is in a hurry, and the longest wait in gRPC
// after the last hurry has ended.
constexpr auto kBetweenLooks = std::chrono::milliseconds(20);
// After a piece of a stream that gathers them.
constexpr auto kHurryAfterPiece = std::chrono::milliseconds(50);
constexpr auto kForEver = std::chrono::system_clock::time_point::max();
// Even a deadline that is just over would wait for a millisecond.
constexpr std::chrono::system_clock::time_point kNoWait;
// One look handles one event. Enough for all the plugins that end last.
constexpr int kLastLooks = 64;

// gRPC closes the socket of a dropped channel that was still connecting when it
// hears of the other side's end. Once this queue's thread is gone there may be
// nobody in the process who polls, and it would hear of it up to 5 s later. Any
// queue of gRPC's polls for all.
void LookAround() {
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  for (int i = 0; i < kLastLooks; ++i) {
    queue.AsyncNext(&tag, &ok, kNoWait);
  }
  queue.Shutdown();
  queue.Next(&tag, &ok);
}

}  // namespace

CallQueue::Hurry::Hurry(CallQueue& queue) : queue_(queue) {
  MutexLock lock(queue_.mutex_);
  ++queue_.hurries_;
}

CallQueue::Hurry::~Hurry() {
  MutexLock lock(queue_.mutex_);
  --queue_.hurries_;
}

CallQueue::CallQueue() {
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-rpc", [this] { Run(); });
  status_ = thread.status();
  if (thread.ok()) thread_ = *std::move(thread);
}

CallQueue::~CallQueue() {
  {
    // A cancelled stream is in a hurry until its last step is done. gRPC aborts
    // the process when a step begins after Shutdown.
    MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(this, &CallQueue::unhurried));
  }
  const Hurry hurry(*this);
  queue_.Shutdown();
  if (thread_.joinable()) thread_.Join();
  if (kWaitingThreadPollsForAll) LookAround();
}

std::chrono::system_clock::time_point CallQueue::UntilWhen() {
  const auto now = std::chrono::system_clock::now();
  // For what else comes at once.
  if (gathers_ != nullptr) return now;
  if (!kWaitingThreadPollsForAll) return kForEver;
  const bool waits =
      std::chrono::steady_clock::now() < hurry_until_ || WaitForHurry();
  return waits ? now + kBetweenLooks : now;
}

bool CallQueue::WaitUntilCalm(absl::Duration timeout) {
  MutexLock lock(mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &CallQueue::unhurried),
                                 timeout);
}

void CallQueue::Run() {
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    switch (queue_.AsyncNext(&tag, &ok, UntilWhen())) {
      case grpc::CompletionQueue::SHUTDOWN:
        return;
      case grpc::CompletionQueue::TIMEOUT:
        Pause();
        break;
      case grpc::CompletionQueue::GOT_EVENT:
        static_cast<Tag*>(tag)->OnComplete(ok);
        break;
    }
  }
}

void CallQueue::TellPause(Tag* tag) {
  hurry_until_ = std::chrono::steady_clock::now() + kHurryAfterPiece;
  if (gathers_ != tag) Pause();
  gathers_ = tag;
}

void CallQueue::Pause() {
  Tag* const tag = std::exchange(gathers_, nullptr);
  if (tag != nullptr) tag->OnPause();
}

void CallQueue::ForgetPause(const Tag* tag) {
  if (gathers_ == tag) gathers_ = nullptr;
}

bool CallQueue::WaitForHurry() {
  MutexLock lock(mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &CallQueue::hurried),
                                 absl::FromChrono(kBetweenLooks));
}

}  // namespace goplugin::internal
