#include "goplugin/internal/lifecycle/runtime.h"

#include <unistd.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/process/free_descriptors.h"

namespace goplugin::internal {
namespace {

// How long a destructor waits for callbacks that still run.
constexpr absl::Duration kCallbackGrace = absl::Seconds(1);

struct Reaper {
  std::thread thread;
  std::atomic<bool> finished{false};
};

struct Registry {
  absl::Mutex mutex;
  std::weak_ptr<Runtime> current ABSL_GUARDED_BY(mutex);
  pid_t process ABSL_GUARDED_BY(mutex) = 0;
  std::list<Reaper> reapers ABSL_GUARDED_BY(mutex);
  // In a forked child: threads that do not exist here, and can't be joined.
  std::list<Reaper> parents_reapers ABSL_GUARDED_BY(mutex);
};

// Never destroyed: a client may be a static object of the host, and end later
// than any static of ours.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Runtime>> Runtime::Acquire() {
  Registry& registry = TheRegistry();
  absl::MutexLock lock(&registry.mutex);
  if (registry.process != getpid()) {
    registry.process = getpid();
    registry.current.reset();
    registry.parents_reapers.splice(registry.parents_reapers.end(),
                                    registry.reapers);
  }
  registry.reapers.remove_if([](Reaper& reaper) {
    if (!reaper.finished) return false;
    reaper.thread.join();
    return true;
  });
  std::shared_ptr<Runtime> runtime = registry.current.lock();
  if (runtime == nullptr) {
    const absl::Status enough = CheckFreeDescriptors("host");
    if (!enough.ok()) return enough;
    runtime = std::shared_ptr<Runtime>(new Runtime, &Runtime::Release);
    registry.current = runtime;
  }
  return runtime;
}

CallQueue& Runtime::calls() {
  std::call_once(calls_made_, [this] { calls_.emplace(); });
  return *calls_;
}

void Runtime::Release(Runtime* runtime) {
  if (!OnSdkThread() && runtime->callbacks_.WaitUntilIdle(kCallbackGrace)) {
    delete runtime;
    return;
  }
  RunApart([runtime] { delete runtime; });
}

void Runtime::RunApart(absl::AnyInvocable<void() &&> task) {
  Registry& registry = TheRegistry();
  absl::MutexLock lock(&registry.mutex);
  Reaper& reaper = registry.reapers.emplace_back();
  reaper.thread = StartSdkThread("goplugin-reap",
                                 [task = std::move(task), &reaper]() mutable {
                                   std::move(task)();
                                   reaper.finished = true;
                                 });
}

}  // namespace goplugin::internal
