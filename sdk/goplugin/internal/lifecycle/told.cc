#include "goplugin/internal/lifecycle/told.h"

#include <utility>

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
  changed_.NotifyAll();
}

bool Told::Wait() const {
  MutexLock lock(mutex_);
  while (!WaitFor(kLook)) {
    if (Runtime::CheckProcess().ok()) continue;
    return WaitFor(kGraceAtExit);
  }
  return true;
}

bool Told::Claim() {
  MutexLock lock(mutex_);
  return !std::exchange(claimed_, true);
}

bool Told::WaitFor(absl::Duration timeout) const {
  return changed_.WaitFor(mutex_, timeout, [this] {
    mutex_.AssertReaderHeld();
    return told_;
  });
}

}  // namespace goplugin::internal
