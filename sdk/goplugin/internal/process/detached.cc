#include "goplugin/internal/process/detached.h"

#include <unistd.h>

#include <list>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/process/exit.h"

namespace goplugin::internal {
namespace {

struct Detached {
  const pid_t owner = getpid();
  absl::Mutex mutex;
  std::list<ChildProcess> children ABSL_GUARDED_BY(mutex);
};

// Never destroyed: clients may be statics of the host.
Detached& TheDetached() {
  static auto* detached = new Detached;
  return *detached;
}

}  // namespace

void KeepDetached(ChildProcess child) {
  child.stdout_pipe.reset();
  child.stderr_pipe.reset();
  Detached& detached = TheDetached();
  if (getpid() != detached.owner) return;
  absl::MutexLock lock(&detached.mutex);
  detached.children.push_back(std::move(child));
}

void ReapDetached() {
  Detached& detached = TheDetached();
  if (getpid() != detached.owner) return;
  absl::MutexLock lock(&detached.mutex);
  detached.children.remove_if(
      [](const ChildProcess& child) { return TryReap(child).has_value(); });
}

}  // namespace goplugin::internal
