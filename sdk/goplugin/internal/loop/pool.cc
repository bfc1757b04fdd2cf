#include "goplugin/internal/loop/pool.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// How long callbacks may wait without any progress before a thread is added.
constexpr absl::Duration kStuckAfter = absl::Milliseconds(10);
// The first look adds one thread, the next two, and so on.
constexpr int kMaxDoublings = 6;
// How long an added thread stays when there is nothing to do.
constexpr absl::Duration kLinger = absl::Seconds(1);
// Callbacks run for one client before the next client's turn.
constexpr int kCallbacksPerTurn = 16;

// Of a pool's thread: whether it stays when there is nothing to do.
thread_local bool this_thread_stays = false;

}  // namespace

Pool::Pool(EventLoop& loop, const char* thread_name, size_t max_threads)
    : loop_(loop),
      thread_name_(thread_name),
      max_threads_(max_threads),
      progress_timer_(std::make_shared<Timer>(loop)) {
  // Not under the lock, which the new thread wants at once.
  absl::StatusOr<SdkThread> thread = MakeWorker(/*permanent=*/true);
  MutexLock lock(mutex_);
  status_ = thread.status();
  if (thread.ok()) threads_.push_back(*std::move(thread));
}

absl::Status Pool::status() const {
  MutexLock lock(mutex_);
  return status_;
}

Pool::~Pool() {
  std::vector<SdkThread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
    threads = std::move(threads_);
    threads_.clear();
  }
  for (SdkThread& thread : threads) thread.Join();
  if (!loop_.status().ok()) return;
  // No worker is left that could start the timer; only the loop may touch it.
  absl::Notification timer_gone;
  loop_.Post([&] {
    progress_timer_.reset();
    timer_gone.Notify();
  });
  timer_gone.WaitForNotification();
  MutexLock lock(mutex_);
  for (SdkThread& thread : finished_) thread.Join();
}

bool Pool::WaitUntilIdle(absl::Duration timeout) {
  MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, timeout, [this] {
    mutex_.AssertReaderHeld();
    return Idle();
  });
}

void Pool::Halt() {
  MutexLock lock(mutex_);
  halted_ = true;
  changed_.NotifyAll();
}

void Pool::KeepThisThread() { this_thread_stays = true; }

void Pool::Schedule(std::shared_ptr<Lane> lane) {
  MutexLock lock(mutex_);
  ready_.push_back(std::move(lane));
  changed_.NotifyAll();
  WatchIfCrowded();
}

void Pool::WatchIfCrowded() {
  if (watching_ || stopping_ || ready_.size() + busy_ <= threads_.size()) {
    return;
  }
  watching_ = true;
  loop_.Post([this, turns = turns_] { WatchProgress(turns, 0); });
}

void Pool::WatchProgress(std::uint64_t turns_before, int stuck_for) {
  progress_timer_->Start(kStuckAfter, [this, turns_before, stuck_for] {
    MutexLock lock(mutex_);
    watching_ = !ready_.empty() && !stopping_;
    if (!watching_) return;
    const int now_for = turns_ == turns_before ? stuck_for + 1 : 0;
    if (now_for > 0) {
      AddWorkers(size_t{1} << std::min(now_for - 1, kMaxDoublings));
    }
    loop_.Post(
        [this, turns = turns_, now_for] { WatchProgress(turns, now_for); });
  });
}

void Pool::AddWorkers(size_t count) {
  count = std::min({count, ready_.size(), max_threads_ - threads_.size()});
  for (; count > 0; --count) StartWorker(/*permanent=*/false).IgnoreError();
}

absl::StatusOr<SdkThread> Pool::MakeWorker(bool permanent) {
  return StartSdkThread(thread_name_, [this, permanent] {
    this_thread_stays = permanent;
    RunWorker();
  });
}

absl::Status Pool::StartWorker(bool permanent) {
  for (SdkThread& thread : finished_) thread.Join();
  finished_.clear();
  absl::StatusOr<SdkThread> thread = MakeWorker(permanent);
  if (!thread.ok()) return thread.status();
  threads_.push_back(*std::move(thread));
  return absl::OkStatus();
}

void Pool::FinishWorker() {
  const auto self =
      std::find_if(threads_.begin(), threads_.end(),
                   [](const SdkThread& t) { return t.IsCurrent(); });
  if (self == threads_.end()) return;  // the destructor joins it
  finished_.push_back(std::move(*self));
  threads_.erase(self);
}

// Nobody queues for the mutex itself here: under the first in a process who
// does that, Abseil measures the processor's frequency, and nobody gets the
// mutex for 3 ms. It would be a first Launch that waits.
void Pool::AwaitWork() {
  if (this_thread_stays) {
    while (!WorkerMayMove()) changed_.Wait(mutex_);
    return;
  }
  changed_.WaitFor(mutex_, kLinger, [this] {
    mutex_.AssertReaderHeld();
    return WorkerMayMove();
  });
}

void Pool::RunWorker() {
  while (true) {
    std::shared_ptr<Lane> lane;
    {
      MutexLock lock(mutex_);
      AwaitWork();
      if (halted_ || ready_.empty()) {
        if (stopping_ || !this_thread_stays) return FinishWorker();
        continue;
      }
      lane = std::move(ready_.front());
      ready_.pop_front();
      ++busy_;
    }
    const bool more = lane->RunSome();
    // What a finished lane held may end a client: not under the lock.
    if (!more) lane.reset();
    MutexLock lock(mutex_);
    --busy_;
    ++turns_;
    if (more) ready_.push_back(std::move(lane));
    changed_.NotifyAll();
    if (more) WatchIfCrowded();
  }
}

void Lane::Post(absl::AnyInvocable<void()> callback) {
  Push(Item{std::move(callback)});
}

void Lane::PostDroppable(size_t entries, size_t bytes,
                         absl::AnyInvocable<void()> callback) {
  Push(Item{std::move(callback), entries, bytes + kCallbackBytes});
}

void Lane::Push(Item item) {
  {
    MutexLock lock(mutex_);
    droppable_bytes_ += item.bytes;
    items_.push_back(std::move(item));
    while (droppable_bytes_ > kMaxDroppableBytes) DropOldest();
    if (scheduled_) return;
    scheduled_ = true;
  }
  pool_.Schedule(shared_from_this());
}

void Lane::DropOldest() {
  const auto oldest =
      std::find_if(items_.begin(), items_.end(),
                   [](const Item& item) { return item.bytes > 0; });
  droppable_bytes_ -= oldest->bytes;
  dropped_ += oldest->entries;
  items_.erase(oldest);
}

bool Lane::RunSome() {
  for (int i = 0; i < kCallbacksPerTurn; ++i) {
    Item item;
    size_t dropped = 0;
    {
      MutexLock lock(mutex_);
      if (items_.empty()) {
        scheduled_ = false;
        return false;
      }
      item = std::move(items_.front());
      items_.pop_front();
      droppable_bytes_ -= item.bytes;
      std::swap(dropped, dropped_);
    }
    if (dropped > 0) on_dropped_(dropped);
    item.callback();
    AddProgress();
  }
  return true;
}

}  // namespace goplugin::internal
