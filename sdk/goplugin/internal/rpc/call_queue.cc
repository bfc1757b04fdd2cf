#include "goplugin/internal/rpc/call_queue.h"

#include <sys/resource.h>

#include <chrono>
#include <memory>
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
// After a call has begun.
constexpr auto kBesideCalls = std::chrono::milliseconds(200);
// After waits for nothing.
constexpr auto kBesideOthers = std::chrono::seconds(1);
// Alone: from one look around to the next, and the first after others were
// there.
constexpr auto kAlone = std::chrono::milliseconds(2000);
constexpr auto kTrial = std::chrono::milliseconds(20);
// So many wakes in that time are somebody else's.
constexpr std::int64_t kOthersWakes = 20;
constexpr std::int64_t kOthersTrialWakes = 3;
// After a piece of a stream that gathers them.
constexpr auto kHurryAfterPiece = std::chrono::milliseconds(50);
constexpr auto kForEver = std::chrono::system_clock::time_point::max();
// Even a deadline that is just over would wait for a millisecond.
constexpr std::chrono::system_clock::time_point kNoWait;
// One look handles one event. Enough for all the plugins that end last.
constexpr int kLastLooks = 64;

// How often this thread has gone to sleep.
std::int64_t Switches() {
  rusage usage = {};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

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
  queue_.changed_.NotifyAll();
}

CallQueue::Hurry::~Hurry() {
  MutexLock lock(queue_.mutex_);
  --queue_.hurries_;
  queue_.changed_.NotifyAll();
}

CallQueue::CallQueue()
    : next_alone_for_(kAlone),
      bell_(kWaitingThreadPollsForAll ? std::make_shared<CallBell>(queue_)
                                      : nullptr) {
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
  if (bell_ != nullptr) bell_->Remove();
  queue_.Shutdown();
  if (thread_.joinable()) thread_.Join();
  if (kWaitingThreadPollsForAll) LookAround();
}

std::chrono::system_clock::time_point CallQueue::UntilWhen() {
  const auto now = std::chrono::system_clock::now();
  // For what else comes at once.
  if (gathers_ != nullptr) return now;
  if (!kWaitingThreadPollsForAll) return kForEver;
  if (std::chrono::steady_clock::now() < hurry_until_ || IsInHurry()) {
    return now + kBetweenLooks;
  }
  if (IsAlone() && bell_->Listen()) {
    alone_for_ = next_alone_for_;
    switches_before_ = Switches();
    return now + alone_for_;
  }
  return WaitForHurry() ? now + kBetweenLooks : now;
}

bool CallQueue::IsAlone() {
  const auto now = std::chrono::steady_clock::now();
  if (bell_->TakeRing()) {
    beside_until_ = now + kBesideCalls;
    // Calls are no others.
    next_alone_for_ = kAlone;
  }
  return now >= beside_until_;
}

void CallQueue::OnWaited(bool for_nothing) {
  if (alone_for_.count() == 0) return;
  bell_->StopListening();
  const bool trial = alone_for_ == kTrial;
  alone_for_ = {};
  if (!for_nothing) return;
  const bool others = Switches() - switches_before_ >=
                      (trial ? kOthersTrialWakes : kOthersWakes);
  next_alone_for_ = others ? kTrial : kAlone;
  if (others) beside_until_ = std::chrono::steady_clock::now() + kBesideOthers;
}

bool CallQueue::WaitUntilCalm(absl::Duration timeout) {
  MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, timeout, [this] {
    mutex_.AssertHeld();
    return unhurried();
  });
}

void CallQueue::Run() {
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    const auto next = queue_.AsyncNext(&tag, &ok, UntilWhen());
    OnWaited(/*for_nothing=*/next == grpc::CompletionQueue::TIMEOUT);
    switch (next) {
      case grpc::CompletionQueue::SHUTDOWN:
        return;
      case grpc::CompletionQueue::TIMEOUT:
        Pause();
        break;
      case grpc::CompletionQueue::GOT_EVENT:
        // The bell has none.
        if (tag != nullptr) static_cast<Tag*>(tag)->OnComplete(ok);
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

bool CallQueue::IsInHurry() {
  MutexLock lock(mutex_);
  return hurries_ > 0;
}

bool CallQueue::WaitForHurry() {
  MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, absl::FromChrono(kBetweenLooks), [this] {
    mutex_.AssertHeld();
    return hurries_ > 0;
  });
}

}  // namespace goplugin::internal
