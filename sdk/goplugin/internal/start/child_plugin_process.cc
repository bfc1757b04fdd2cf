#include "goplugin/internal/start/child_plugin_process.h"

#include <fcntl.h>
#include <signal.h>

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {
namespace {

// How often the exit is looked for where the system has no pidfds.
constexpr absl::Duration kExitPoll = absl::Milliseconds(20);
// From the exit to its collection. Linux takes down what was looked at in
// /proc/PID/task while the last thread goes, and again when the child is
// collected: whoever comes second then runs in circles, in the kernel, until
// the first gets the processor back. 5 to 15 ms were seen (6.18).
constexpr absl::Duration kReapPause = absl::Microseconds(200);
// How often it is looked for what it has left behind.
constexpr absl::Duration kDescendantsPoll = absl::Milliseconds(5);
// What that gets after the exit to come to its end, and SIGKILL for its effect.
constexpr absl::Duration kDescendantsGrace = absl::Milliseconds(500);
constexpr absl::Duration kDescendantsKill = absl::Milliseconds(300);
// Between two looks at who stands still before SIGKILL.
constexpr absl::Duration kStopPoll = absl::Milliseconds(1);

}  // namespace

ChildPluginProcess::ChildPluginProcess(EventLoop& loop, Pool& pool,
                                       ChildProcess child, Callbacks callbacks)
    : PluginProcess(child.pid, std::move(callbacks)),
      loop_(loop),
      pool_(pool),
      child_(std::move(child)),
      output_(loop, pool, std::move(child_.stdout_pipe),
              std::move(child_.stderr_pipe), this->callbacks()),
      poll_(loop),
      kill_(loop) {
  WatchExit();
}

ChildPluginProcess::~ChildPluginProcess() {
  watch_.reset();
  if (since_stop_.has_value() && !killed_) KillNow();
  if (child_.pid <= 0 || reaped_) return;
  EndChild(std::move(child_));
}

void ChildPluginProcess::WatchExit() {
  if (child_.pidfd.valid()) {
    if (watch_ == nullptr) {
      watch_ = std::make_unique<DescriptorWatch>(
          loop_, child_.pidfd.get(),
          DescriptorWatch::Callbacks{[this] { OnMaybeExited(); }, nullptr});
    }
    watch_->WaitReadable();
  } else {
    poll_.Start(kExitPoll, [this] { OnMaybeExited(); });
  }
}

void ChildPluginProcess::OnMaybeExited() {
  const absl::optional<ExitStatus> status = PeekExit(child_);
  if (!status.has_value()) return WatchExit();
  status_ = *status;
  // What is left of the plugin's own group goes with it, as long as its number
  // can't have been given to anybody else.
  if (child_.leads_group) SendSignal(child_, SIGKILL, /*whole_group=*/true);
  poll_.Start(kReapPause, [this] { Reap(); });
}

void ChildPluginProcess::Reap() {
  // Another part of the host may have done so since.
  const ExitStatus reaped = TryReap(child_).value_or(ExitStatus());
  if (status_.kind == ExitStatus::Kind::kUnknown) status_ = reaped;
  watch_.reset();
  reaped_ = true;
  since_exit_.emplace();
  // As of a shell that was killed: nobody knows of the plugin behind it.
  if (!asked_ && !signalled_) Signal(SIGTERM);
  AwaitDescendants();
}

// Those that got a signal with it are to go as well, by that or by SIGKILL:
// that they do not is no fault of the plugin's, which has.
void ChildPluginProcess::AwaitDescendants() {
  const absl::Duration waited = since_exit_->Elapsed();
  awaits_others_ = signalled_ && descendants_.Reap() > 0 &&
                   waited < kDescendantsGrace + kDescendantsKill;
  if (!awaits_others_) return output_.Drain([this] { Exited(status_); });
  if (waited > kDescendantsGrace && !since_stop_.has_value()) Kill();
  poll_.Start(kDescendantsPoll, [this] { AwaitDescendants(); });
}

void ChildPluginProcess::OnServing() {
  auto child = std::make_shared<ChildProcess>();
  child->pid = child_.pid;
  child->pidfd = UniqueFd(fcntl(child_.pidfd.get(), F_DUPFD_CLOEXEC, 3));
  if (reaped_ || !child->pidfd.valid()) return;
  Lane::Create(pool_)->Post([&loop = loop_, child = std::move(child),
                             weak = std::weak_ptr<ChildPluginProcess*>(self_)] {
    Descendants found;
    found.Find(*child, /*reaped=*/false);
    if (found.empty()) return;
    loop.Post([weak, found = std::move(found)]() mutable {
      if (const auto self = weak.lock()) {
        (*self)->descendants_.Add(std::move(found));
      }
    });
  });
}

void ChildPluginProcess::Signal(int signal) {
  signalled_ = true;
  if (signal == SIGKILL) return Kill();
  descendants_.Signal(child_, reaped_, signal);
}

void ChildPluginProcess::Kill() {
  signalled_ = true;
  if (!since_stop_.has_value()) since_stop_.emplace();
  if (descendants_.Stop(child_, reaped_) ||
      since_stop_->Elapsed() > Descendants::kStopTime) {
    return KillNow();
  }
  kill_.Start(kStopPoll, [this] { Kill(); });
}

void ChildPluginProcess::KillNow() {
  killed_ = true;
  descendants_.Signal(child_, reaped_, SIGKILL);
}

bool ChildPluginProcess::CloseStdin() {
  if (!child_.stdin_pipe.valid()) return false;
  child_.stdin_pipe.reset();
  return true;
}

void ChildPluginProcess::Detach() {
  if (reaped_) return;
  watch_.reset();
  poll_.Cancel();
  kill_.Cancel();
  if (since_stop_.has_value() && !killed_) KillNow();
  KeepDetached(std::exchange(child_, ChildProcess()));
}

}  // namespace goplugin::internal
