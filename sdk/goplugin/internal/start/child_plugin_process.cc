#include "goplugin/internal/start/child_plugin_process.h"

#include <signal.h>

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/process/spawn.h"

namespace goplugin::internal {
namespace {

// How often the exit is looked for where the system has no pidfds.
constexpr absl::Duration kExitPoll = absl::Milliseconds(20);
}  // namespace

ChildPluginProcess::ChildPluginProcess(EventLoop& loop, Pool& pool,
                                       ChildProcess child, Callbacks callbacks)
    : PluginProcess(child.pid, std::move(callbacks)),
      loop_(loop),
      child_(std::move(child)),
      output_(loop, pool, std::move(child_.stdout_pipe),
              std::move(child_.stderr_pipe), this->callbacks()),
      poll_(loop) {
  WatchExit();
}

ChildPluginProcess::~ChildPluginProcess() {
  if (child_.pid <= 0 || reaped_) return;
  watch_.reset();
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
  if (!HasExited(child_)) return WatchExit();
  // What is left of the plugin's own group goes with it, as long as its number
  // can't have been given to anybody else.
  if (child_.leads_group) SendSignal(child_, SIGKILL, /*whole_group=*/true);
  const ExitStatus status = TryReap(child_).value_or(ExitStatus());
  watch_.reset();
  reaped_ = true;
  output_.Drain([this, status] { Exited(status); });
}

void ChildPluginProcess::Signal(int signal) {
  if (reaped_) return;
  SendSignal(child_, signal, child_.leads_group);
}

void ChildPluginProcess::Detach() {
  if (reaped_) return;
  watch_.reset();
  poll_.Cancel();
  KeepDetached(std::exchange(child_, ChildProcess()));
}

}  // namespace goplugin::internal
