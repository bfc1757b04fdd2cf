#ifndef GOPLUGIN_INTERNAL_PROCESS_SPAWN_TICKET_H_
#define GOPLUGIN_INTERNAL_PROCESS_SPAWN_TICKET_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/process/clone_attempt.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/spawn_result.h"

namespace goplugin::internal {

// One child that was asked for. Thread-safe. A spawner that stands still in its
// clone touches this and nothing else, so whoever asked may be gone by then.
class SpawnTicket {
 public:
  using Done = absl::AnyInvocable<void(SpawnResult)>;

  // `on_abandoned` is called at most once, by Abandon.
  SpawnTicket(std::shared_ptr<PreparedSpawn> prepared, Done done,
              absl::AnyInvocable<void(const SpawnTicket*)> on_abandoned);
  SpawnTicket(const SpawnTicket&) = delete;
  SpawnTicket& operator=(const SpawnTicket&) = delete;

  // Nobody wants the child any more. One that was not cloned never will be. One
  // that is being cloned, or stands still in its exec, is killed, and whatever
  // the spawner still brings is killed and reaped, whoever is there by then.
  // Without effect once `done` has been called, or has begun to be: the result
  // ends a child that nobody takes. What `done` and `prepared` hold is let go
  // before this returns, unless a spawner is at it. Does not block.
  void Abandon();

  // For spawners: one try, whose result goes to `done`. `cloned` is called
  // before that: the thread is as good as free. True: the program was busy, and
  // it is to be tried again, a little later.
  bool TryOnce(absl::FunctionRef<void()> cloned);

 private:
  enum class Phase { kWaiting, kCloning, kOver };

  // nullptr when there is nothing to clone.
  std::shared_ptr<PreparedSpawn> Begin();
  // Whether to try again; if not, `done` is what to call, if anything.
  bool Settle(const SpawnResult& result, Done& done);

  CloneAttempt attempt_;
  absl::Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWaiting;
  int retries_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<PreparedSpawn> prepared_ ABSL_GUARDED_BY(mutex_);
  Done done_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void(const SpawnTicket*)> on_abandoned_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SPAWN_TICKET_H_
