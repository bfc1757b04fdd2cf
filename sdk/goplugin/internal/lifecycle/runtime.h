#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_

#include <cstddef>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/lifecycle/left_children_reaper.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/spawners.h"
#include "goplugin/internal/rpc/call_queue.h"

namespace goplugin::internal {

// The SDK's threads, as many for one plugin as for a thousand. The first client
// starts them, and whoever drops the last reference joins them.
//
// Dropped on one of these threads, or while something on them is stuck, the
// joining is left to a thread of its own, which a later Acquire joins.
class Runtime {
 public:
  // Thread-safe. Errors: those of CheckProcess, and kSpawn where the process
  // has no descriptors left, which gRPC and Asio would end the process for.
  static absl::StatusOr<std::shared_ptr<Runtime>> Acquire();
  // OK where the SDK can be used: kForked in a child that was forked after the
  // first use of it, kShutDown once the process exits. Takes no lock: one may
  // be held by a thread that does not exist here.
  static absl::Status CheckProcess();
  // Runs `task` on a thread of its own, which a later Acquire joins: for what
  // can't be done on a runtime's.
  // False where the system gives no thread, and where CheckProcess fails: it
  // has not run.
  static bool RunApart(absl::AnyInvocable<void() &&>& task);

  // Runs `end`, which joins a thread, on this one; the exit of the process
  // waits a second for it. False once the exit has begun: it has not run. A
  // thread that ends after OpenSSL has leaves behind what OpenSSL kept for it.
  static bool EndBeforeExit(absl::AnyInvocable<void() &&> end);

  // Bytes and timers.
  EventLoop& loop() { return loop_; }
  // A user's sinks and callbacks, but for completions; log lines.
  Pool& callbacks() { return callbacks_; }
  // Callbacks that are called once and never dropped: LaunchAsync, OnExit,
  // ShutdownAsync.
  Pool& completions() { return completions_; }
  // All that may take long and is none of these: files, programs, the name
  // service, OpenSSL, a Runner's methods.
  Pool& work() { return work_; }
  // Clones, and nothing else.
  Spawners& spawners() { return spawners_; }
  // Made by MakeCalls, which also starts gRPC, and must have gone well before.
  CallQueue& calls() { return *calls_; }
  // Takes its time at the first use. Errors: kResources. Thread-safe.
  absl::Status MakeCalls();

  // The process exits. None of the host's callbacks is begun any more; then,
  // when all clients have ended, nothing at all, and what is under way is
  // waited for, at most a second. The loop goes on. `with_calls`: no call is
  // under way.
  static void HaltCallbacks();
  static void HaltAll(bool with_calls);

 private:
  Runtime();
  ~Runtime();
  static void Release(Runtime* runtime);
  absl::Status status() const;
  // Whether nothing is under way any more, after at most `timeout`.
  bool Settle(absl::Duration timeout);
  static std::shared_ptr<Runtime> Current();

  // What holds up a thread for good (a dead file system, a callback that does
  // not return) does so for as long as the host lives: room for many.
  static constexpr size_t kMaxThreads = 256;

  // In this order: callbacks are timed by the loop, and the calls report to it.
  Spawners spawners_;
  EventLoop loop_;
  Pool callbacks_{loop_, "goplugin-call", kMaxThreads};
  Pool completions_{loop_, "goplugin-done", kMaxThreads};
  Pool work_{loop_, "goplugin-work", kMaxThreads};
  std::unique_ptr<LeftChildrenReaper> reaper_;
  absl::Mutex calls_mutex_;
  absl::optional<CallQueue> calls_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_
