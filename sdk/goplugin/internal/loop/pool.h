#ifndef GOPLUGIN_INTERNAL_LOOP_POOL_H_
#define GOPLUGIN_INTERNAL_LOOP_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

class Lane;

// Threads for what may take long: a user's callbacks, the file system, the name
// service. One thread while all of it returns quickly; while all threads are
// stuck another is added, up to a bound, and it leaves when it has been idle
// for a while. Thread-safe.
class Pool {
 public:
  // With `max_threads` stuck callbacks everybody else's wait. `loop` outlives
  // the pool; it times the growth. `thread_name` has at most 15 bytes.
  Pool(EventLoop& loop, const char* thread_name, size_t max_threads);
  // Runs what was posted, then joins: waits for stuck callbacks.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // kResources where the system gave no thread: nothing that is posted runs.
  // For want of further ones, what is posted waits.
  absl::Status status() const;

  // Whether nothing runs and nothing waits, after at most `timeout`.
  bool WaitUntilIdle(absl::Duration timeout);
  // From now on nothing more is begun; what waits is never run.
  void Halt();

  // Called on a pool's thread: it lives as long as the pool does, whatever
  // comes. For what hangs on a thread's life, as a child's death signal.
  static void KeepThisThread();

 private:
  friend class Lane;

  void Schedule(std::shared_ptr<Lane> lane);
  void RunWorker();
  // Until there is some, or the thread's time is over.
  void AwaitWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SdkThread> MakeWorker(bool permanent);
  absl::Status StartWorker(bool permanent)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishWorker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begins to look for stuck callbacks when a lane may have to wait.
  void WatchIfCrowded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `stuck_for`: how many looks in a row found no progress.
  void WatchProgress(std::uint64_t turns_before, int stuck_for);
  // For those that wait, as far as the bound and the system allow.
  void AddWorkers(size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WorkerMayMove() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return stopping_ || (!halted_ && !ready_.empty());
  }
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return (halted_ || ready_.empty()) && busy_ == 0;
  }

  EventLoop& loop_;
  const char* const thread_name_;
  const size_t max_threads_;
  // Used on the loop's thread only; destroyed there by the destructor.
  std::shared_ptr<Timer> progress_timer_;
  mutable absl::Mutex mutex_;
  // For those who wait for a time.
  SteadyCondition changed_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Lane>> ready_ ABSL_GUARDED_BY(mutex_);
  // How often a worker was done with a lane: no change means that all are
  // stuck.
  std::uint64_t turns_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t busy_ ABSL_GUARDED_BY(mutex_) = 0;
  bool watching_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool halted_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<SdkThread> threads_ ABSL_GUARDED_BY(mutex_);
  // Threads that left and are still to be joined.
  std::vector<SdkThread> finished_ ABSL_GUARDED_BY(mutex_);
};

// The callbacks of one client, run one at a time in the order of their posts.
// Thread-safe. Made with std::make_shared; lives until its last callback ran.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  // What may wait of droppable callbacks: what they hold, as their posts
  // counted it, and what each takes besides.
  static constexpr size_t kMaxDroppableBytes = size_t{8} * 1024 * 1024;
  // In bytes; rather too much.
  static constexpr size_t kCallbackBytes = 256;

  // `on_dropped` runs as a callback, with the number of entries lost since its
  // last call. `pool` outlives the lane's use.
  Lane(Pool& pool, absl::AnyInvocable<void(size_t)> on_dropped)
      : pool_(pool), on_dropped_(std::move(on_dropped)) {}
  // One on which nothing is droppable.
  static std::shared_ptr<Lane> Create(Pool& pool) {
    return std::make_shared<Lane>(pool, [](size_t /*dropped*/) {});
  }

  // Grows with each callback that has returned, and with each part of one that
  // says so.
  std::uint64_t progress() const { return progress_; }
  void AddProgress() { ++progress_; }

  // Completions: never dropped.
  void Post(absl::AnyInvocable<void()> callback);
  // `entries` log or stdio entries that hold `bytes`. When too much waits, the
  // oldest of these are dropped.
  void PostDroppable(size_t entries, size_t bytes,
                     absl::AnyInvocable<void()> callback);

 private:
  friend class Pool;

  struct Item {
    absl::AnyInvocable<void()> callback;
    size_t entries = 0;
    size_t bytes = 0;  // 0: not droppable
  };

  void Push(Item item);
  void DropOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs some callbacks; true when more wait.
  bool RunSome();

  Pool& pool_;
  // Called by one worker at a time, like every callback.
  absl::AnyInvocable<void(size_t)> on_dropped_;
  std::atomic<std::uint64_t> progress_{0};
  mutable absl::Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  size_t droppable_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  // Whether the pool holds or runs this lane.
  bool scheduled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_POOL_H_
