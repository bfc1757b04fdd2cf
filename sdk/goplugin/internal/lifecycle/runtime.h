#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_

#include <memory>
#include <mutex>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/callback_pool.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/worker.h"
#include "goplugin/internal/rpc/call_queue.h"

namespace goplugin::internal {

// The SDK's threads, as many for one plugin as for a thousand. The first client
// starts them, and whoever drops the last reference joins them.
//
// Dropped on one of these threads, or while a user's callback is stuck, the
// joining is left to a thread of its own, which a later Acquire joins.
class Runtime {
 public:
  // Thread-safe. In a forked child it starts anew: the parent's threads do not
  // exist there. Errors: kSpawn where the process has no descriptors left for
  // them, which gRPC and Asio would end the process for.
  static absl::StatusOr<std::shared_ptr<Runtime>> Acquire();
  // Runs `task` on a thread of its own, which a later Acquire joins: for what
  // can't be done on a runtime's.
  static void RunApart(absl::AnyInvocable<void() &&> task);

  EventLoop& loop() { return loop_; }
  CallbackPool& callbacks() { return callbacks_; }
  Worker& spawner() { return spawner_; }
  // Made at its first use, which also starts gRPC.
  CallQueue& calls();

 private:
  Runtime() = default;
  ~Runtime() = default;
  static void Release(Runtime* runtime);

  // In this order: callbacks are timed by the loop, the calls report to it, and
  // the spawner uses all of them.
  EventLoop loop_;
  CallbackPool callbacks_{loop_};
  std::once_flag calls_made_;
  absl::optional<CallQueue> calls_;
  Worker spawner_{"goplugin-spawn"};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_RUNTIME_H_
