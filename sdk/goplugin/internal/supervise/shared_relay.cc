#include "goplugin/internal/supervise/shared_relay.h"

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

struct Registry {
  absl::Mutex mutex;
  std::weak_ptr<CallRelay> current ABSL_GUARDED_BY(mutex);
  // When the process exits: it ends with their threads.
  std::vector<CallRelay*> kept ABSL_GUARDED_BY(mutex);
};

// Never destroyed: a supervisor may be a static object of the host.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

void Release(CallRelay* relay) {
  if (Runtime::EndBeforeExit([relay] { delete relay; })) return;
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  registry.kept.push_back(relay);
}

}  // namespace

std::shared_ptr<CallRelay> SharedRelay() {
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  std::shared_ptr<CallRelay> relay = registry.current.lock();
  if (relay == nullptr) {
    relay = std::shared_ptr<CallRelay>(new CallRelay, &Release);
    registry.current = relay;
  }
  return relay;
}

}  // namespace goplugin::internal
