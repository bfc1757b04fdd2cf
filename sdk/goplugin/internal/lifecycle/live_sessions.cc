#include "goplugin/internal/lifecycle/live_sessions.h"

#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/lifecycle/process_exit.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

struct Registry {
  absl::Mutex mutex;
  std::list<std::weak_ptr<Session>> sessions ABSL_GUARDED_BY(mutex);
};

// Never destroyed: a client may be a static object of the host.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace

bool LiveSessions::Add(const std::shared_ptr<Session>& session) {
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  // Under the lock: who looks after the exit has begun sees all that began.
  if (ExitHasBegun()) return false;
  registry.sessions.remove_if(
      [](const std::weak_ptr<Session>& other) { return other.expired(); });
  registry.sessions.push_back(session);
  return true;
}

std::vector<std::shared_ptr<Session>> LiveSessions::All() {
  std::vector<std::shared_ptr<Session>> live;
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  for (const std::weak_ptr<Session>& weak : registry.sessions) {
    std::shared_ptr<Session> session = weak.lock();
    if (session == nullptr) continue;
    // Kept in any case: what drops the last reference must not hold the lock.
    live.push_back(std::move(session));
  }
  return live;
}

}  // namespace goplugin::internal
