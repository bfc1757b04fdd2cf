#include "goplugin/internal/loop/sdk_thread.h"

#include <pthread.h>
#include <signal.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/at_load.h"
#include "goplugin/internal/process/scheduling.h"

namespace goplugin::internal {
namespace {

thread_local bool on_sdk_thread = false;

// What the new thread takes over.
struct Start {
  const char* name;
  absl::AnyInvocable<void()> body;
};

// A new thread has its maker's processors and policy, but it works for every
// client, and longer than the first caller's thread may live. What the process
// was started with is everybody's.
void TakeProcessScheduling() {
  const StateAtLoad& process = AtLoad();
  if (!process.affinity.empty() && ReadAffinity() != process.affinity) {
    SetAffinity(process.affinity);
  }
  const absl::optional<Scheduling> own = ReadScheduling();
  if (!own.has_value() || !process.scheduling.has_value()) return;
  Scheduling wanted = Inherited(*process.scheduling);
  if (IsSame(*own, wanted) || SetScheduling(wanted)) return;
  // Without the right to a lower nice value, at least the policy.
  wanted.nice = own->nice;
  SetScheduling(wanted);
}

void* RunThread(void* data) {
  const std::unique_ptr<Start> start(static_cast<Start*>(data));
  TakeProcessScheduling();
  on_sdk_thread = true;
  pthread_setname_np(pthread_self(), start->name);
  start->body();
  return nullptr;
}

// A thread that gets its time by a deadline can't make others, unless it is
// marked so that these do without: for that moment, if it may be.
int CreateThread(pthread_t* thread, Start* start) {
  int error_number = pthread_create(thread, nullptr, RunThread, start);
  if (error_number == 0) return 0;
  const absl::optional<Scheduling> own = ReadScheduling();
  if (!own.has_value() || !IsByDeadline(*own)) return error_number;
  Scheduling marked = *own;
  marked.flags |= kResetOnFork;
  if (!SetScheduling(marked)) return error_number;
  error_number = pthread_create(thread, nullptr, RunThread, start);
  SetScheduling(*own);
  return error_number;
}

absl::Status NoThread(const char* name, int error_number) {
  ErrorDetails details;
  details.reason = Reason::kResources;
  details.what = absl::StrCat("the thread ", name, " can't be started");
  details.evidence = {absl::StrCat(
      absl::ErrnoToStatus(error_number, "creating a thread").message(),
      " (errno ", error_number, ")")};
  details.hint =
      "raise the limit of processes and threads (ulimit -u, the control "
      "group's pids.max) or of memory, or run fewer";
  return MakeError(details);
}

}  // namespace

SdkThread::~SdkThread() {
  if (runs_) std::abort();
}

SdkThread::SdkThread(SdkThread&& other) noexcept
    : thread_(other.thread_), runs_(std::exchange(other.runs_, false)) {}

SdkThread& SdkThread::operator=(SdkThread&& other) noexcept {
  if (runs_) std::abort();
  thread_ = other.thread_;
  runs_ = std::exchange(other.runs_, false);
  return *this;
}

bool SdkThread::IsCurrent() const {
  return runs_ && pthread_equal(thread_, pthread_self()) != 0;
}

void SdkThread::Join() {
  if (std::exchange(runs_, false)) pthread_join(thread_, nullptr);
}

void SdkThread::Detach() {
  if (std::exchange(runs_, false)) pthread_detach(thread_);
}

// Not std::thread: it throws where there is no thread, which ends a process
// that was built without exceptions.
absl::StatusOr<SdkThread> StartSdkThread(const char* name,
                                         absl::AnyInvocable<void()> body) {
  auto start = std::make_unique<Start>(Start{name, std::move(body)});
  // A new thread inherits the mask of its maker: block before, restore after.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error_number = CreateThread(&thread, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error_number != 0) return NoThread(name, error_number);
  // The thread has it now.
  static_cast<void>(start.release());
  return SdkThread(thread);
}

bool OnSdkThread() { return on_sdk_thread; }

}  // namespace goplugin::internal
