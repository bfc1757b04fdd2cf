#include "goplugin/internal/lifecycle/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/process_exit.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/process/free_descriptors.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

// How long an end waits for what still runs.
constexpr absl::Duration kGrace = absl::Seconds(1);

struct Reaper {
  absl::AnyInvocable<void() &&> task;
  SdkThread thread;
  std::atomic<bool> finished{false};
};

struct Registry {
  absl::Mutex mutex;
  SteadyCondition changed;
  std::weak_ptr<Runtime> current ABSL_GUARDED_BY(mutex);
  std::list<Reaper> reapers ABSL_GUARDED_BY(mutex);
  // What the exit waits for: reapers at work, and EndBeforeExit.
  int ending ABSL_GUARDED_BY(mutex) = 0;
  // Kept when the process exits.
  std::list<Runtime*> kept ABSL_GUARDED_BY(mutex);
};

// Never destroyed: a client may be a static object of the host, and end later
// than any static of ours.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

// The process that uses the SDK; 0 before its first use.
std::atomic<pid_t> user{0};

}  // namespace

absl::Status Runtime::CheckProcess() {
  const pid_t self = getpid();
  pid_t owner = 0;
  if (!user.compare_exchange_strong(owner, self) && owner != self) {
    return MakeError(Reason::kForked,
                     "this process was forked from one that uses plugins",
                     "neither the threads nor gRPC exist in it: exec first, or "
                     "fork before the first plugin is launched");
  }
  if (!ExitHasBegun()) return absl::OkStatus();
  return MakeError(Reason::kShutDown, "the process is exiting",
                   "use plugins before main returns or exit() is called");
}

absl::StatusOr<std::shared_ptr<Runtime>> Runtime::Acquire() {
  const absl::Status usable = CheckProcess();
  if (!usable.ok()) return usable;
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  registry.reapers.remove_if([](Reaper& reaper) {
    if (!reaper.finished) return false;
    reaper.thread.Join();
    return true;
  });
  std::shared_ptr<Runtime> runtime = registry.current.lock();
  if (runtime == nullptr) {
    const absl::Status enough = CheckFreeDescriptors("host");
    if (!enough.ok()) return enough;
    std::unique_ptr<Runtime, void (*)(Runtime*)> made(
        new Runtime, [](Runtime* failed) { delete failed; });
    const absl::Status started = made->status();
    if (!started.ok()) return started;
    runtime = std::shared_ptr<Runtime>(made.release(), &Runtime::Release);
    registry.current = runtime;
  }
  return runtime;
}

Runtime::Runtime() {
  if (!status().ok()) return;
  loop_.Post([this] { reaper_ = std::make_unique<LeftChildrenReaper>(loop_); });
}

Runtime::~Runtime() {
  if (!loop_.status().ok()) return;
  absl::Notification gone;
  loop_.Post([&] {
    reaper_.reset();
    gone.Notify();
  });
  gone.WaitForNotification();
}

absl::Status Runtime::status() const {
  absl::Status status = loop_.status();
  for (const Pool* pool : {&callbacks_, &completions_, &work_}) {
    status.Update(pool->status());
  }
  return status;
}

absl::Status Runtime::MakeCalls() {
  MutexLock lock(calls_mutex_);
  if (calls_.has_value()) return absl::OkStatus();
  calls_.emplace();
  absl::Status status = calls_->status();
  if (!status.ok()) calls_.reset();
  StayFirstAtExit();
  return status;
}

bool Runtime::Settle(absl::Duration timeout) {
  const Stopwatch stopwatch;
  bool idle = true;
  // What a step brought too late is dropped by way of the loop, on its lane.
  for (int round = 0; round < 2; ++round) {
    absl::Notification turned;
    loop_.Post([&turned] { turned.Notify(); });
    turned.WaitForNotification();
    // Work and callbacks may still cause completions.
    for (Pool* pool : {&work_, &callbacks_, &completions_}) {
      idle = pool->WaitUntilIdle(stopwatch.Remaining(timeout)) && idle;
    }
  }
  // With the threads goes who would reap them. One that hangs in the kernel is
  // left for the next who does.
  AwaitKilledChildren(std::min(stopwatch.Remaining(timeout), kGrace));
  return idle;
}

std::shared_ptr<Runtime> Runtime::Current() {
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  return registry.current.lock();
}

void Runtime::HaltCallbacks() {
  const std::shared_ptr<Runtime> runtime = Current();
  if (runtime == nullptr) return;
  runtime->callbacks_.Halt();
  runtime->completions_.Halt();
}

void Runtime::HaltAll(bool with_calls) {
  {
    Registry& registry = TheRegistry();
    MutexLock lock(registry.mutex);
    registry.changed.WaitFor(registry.mutex, kGrace, [&registry] {
      registry.mutex.AssertReaderHeld();
      return registry.ending == 0;
    });
  }
  const std::shared_ptr<Runtime> runtime = Current();
  if (runtime == nullptr) return;
  runtime->work_.Halt();
  const bool idle = runtime->work_.WaitUntilIdle(kGrace);
  if (!idle || !with_calls) return;
  MutexLock lock(runtime->calls_mutex_);
  // A Ping of a plugin that stands still has no end. Then gRPC is left as it
  // is.
  if (!runtime->calls_.has_value() || !runtime->calls_->WaitUntilCalm(kGrace)) {
    return;
  }
  // Nobody uses gRPC any more.
  runtime->calls_.reset();
}

void Runtime::Release(Runtime* runtime) {
  if (ExitHasBegun()) {
    // gRPC may be gone already.
    Registry& registry = TheRegistry();
    MutexLock lock(registry.mutex);
    registry.kept.push_back(runtime);
    return;
  }
  if (!OnSdkThread() && runtime->Settle(kGrace)) {
    delete runtime;
    return;
  }
  absl::AnyInvocable<void()&&> end = [runtime] {
    runtime->Settle(absl::InfiniteDuration());
    delete runtime;
  };
  if (RunApart(end)) return;
  // No thread can be had that may wait. It is let go, with all it owns.
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  registry.kept.push_back(runtime);
}

bool Runtime::RunApart(absl::AnyInvocable<void() &&>& task) {
  if (!CheckProcess().ok()) return false;
  Registry& registry = TheRegistry();
  MutexLock lock(registry.mutex);
  Reaper& reaper = registry.reapers.emplace_back();
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-reap", [&reaper, &registry] {
        absl::AnyInvocable<void() &&> mine;
        {
          // Not before the other side has let go of it.
          MutexLock lock(registry.mutex);
          mine = std::move(reaper.task);
        }
        std::move(mine)();
        // Whoever joins holds the lock: the last that is done under it.
        MutexLock lock(registry.mutex);
        --registry.ending;
        registry.changed.NotifyAll();
        reaper.finished = true;
      });
  if (!thread.ok()) {
    registry.reapers.pop_back();
    return false;
  }
  ++registry.ending;
  reaper.task = std::move(task);
  reaper.thread = *std::move(thread);
  return true;
}

bool Runtime::EndBeforeExit(absl::AnyInvocable<void() &&> end) {
  Registry& registry = TheRegistry();
  {
    MutexLock lock(registry.mutex);
    // Under the lock: the exit waits for all that saw none.
    if (ExitHasBegun()) return false;
    ++registry.ending;
  }
  std::move(end)();
  MutexLock lock(registry.mutex);
  --registry.ending;
  registry.changed.NotifyAll();
  return true;
}

}  // namespace goplugin::internal
