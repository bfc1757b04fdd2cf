#include "goplugin/internal/lifecycle/told.h"

#include "absl/time/time.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// How often it is looked whether the process exits.
constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr absl::Duration kGraceAtExit = absl::Seconds(1);

}  // namespace

void Told::Notify() {
  MutexLock lock(mutex_);
  told_ = true;
}

void Told::Wait() const {
  MutexLock lock(mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(&told_), kLook)) {
    if (Runtime::CheckProcess().ok()) continue;
    mutex_.AwaitWithTimeout(absl::Condition(&told_), kGraceAtExit);
    return;
  }
}

}  // namespace goplugin::internal
