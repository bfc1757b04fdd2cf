#include "goplugin/internal/channel/state_change.h"

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_deadline.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

// A change may still be told when nobody waits any more.
struct Changed {
  absl::Mutex mutex;
  SteadyCondition told;
  bool changed ABSL_GUARDED_BY(mutex) = false;
};

}  // namespace

bool WaitForState(CallRouter& router, RouterChanges& changes,
                  grpc_connectivity_state last_observed,
                  gpr_timespec deadline) {
  const gpr_timespec end = MonotonicDeadline(deadline);
  const auto state = std::make_shared<Changed>();
  const RouterChanges::Listener listener = changes.Listen([state] {
    MutexLock lock(state->mutex);
    state->changed = true;
    state->told.NotifyAll();
  });
  while (StateOf(router) == last_observed) {
    MutexLock lock(state->mutex);
    if (!state->told.WaitFor(state->mutex, TimeUntil(end), [&] {
          state->mutex.AssertHeld();
          return state->changed;
        })) {
      return false;
    }
    state->changed = false;
  }
  return true;
}

void StateChange::Await(grpc::internal::Call call) {
  SendInitialMetadata(&metadata_, 0);
  ClientSendClose();
  ClientRecvStatus(&context_, &status_);
  FillOps(&call);
}

bool StateChange::FinalizeResult(void** tag, bool* ok) {
  // False while interceptors are still to be run.
  if (!CallOpSet::FinalizeResult(tag, ok)) return false;
  *tag = tag_;
  *ok = status_.ok();
  delete this;
  return true;
}

}  // namespace goplugin::internal
