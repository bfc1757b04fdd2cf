#include "goplugin/internal/lifecycle/plugin_process.h"

#include <signal.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/spawn.h"

namespace goplugin::internal {
namespace {

// How often the exit is looked for where the system has no pidfds.
constexpr absl::Duration kExitPoll = absl::Milliseconds(20);
// The most that is read after the exit. A pipe holds 64 KiB, 1 MiB at most for
// ordinary users; more can only come from somebody who still writes.
constexpr size_t kLastWords = size_t{1024} * 1024;

}  // namespace

PluginProcess::PluginProcess(EventLoop& loop, ChildProcess child,
                             Callbacks callbacks)
    : loop_(loop),
      child_(std::move(child)),
      callbacks_(std::move(callbacks)),
      stdout_(loop, child_.stdout_pipe.release(),
              {[this](absl::string_view bytes) { callbacks_.on_stdout(bytes); },
               [this](int error) {
                 OnReadingEnded("stdout", error);
                 callbacks_.on_stdout_end();
               }}),
      stderr_(loop, child_.stderr_pipe.release(),
              {[this](absl::string_view bytes) { callbacks_.on_stderr(bytes); },
               [this](int error) { OnReadingEnded("stderr", error); }}),
      poll_(loop) {
  WatchExit();
}

void PluginProcess::OnReadingEnded(absl::string_view stream, int error) {
  if (error == 0 || callbacks_.on_read_error == nullptr) return;
  callbacks_.on_read_error(stream, error);
}

void PluginProcess::WatchExit() {
  if (child_.pidfd.valid()) {
    watch_ = std::make_unique<ReadableWatch>(loop_, child_.pidfd.get(),
                                             [this] { OnMaybeExited(); });
  } else {
    poll_.Start(kExitPoll, [this] { OnMaybeExited(); });
  }
}

void PluginProcess::OnMaybeExited() {
  if (!HasExited(child_)) return WatchExit();
  stderr_.Drain(kLastWords);
  stdout_.Drain(kLastWords);
  // What is left of the plugin's own group goes with it, as long as its number
  // can't have been given to anybody else.
  if (child_.leads_group) SendSignal(child_, SIGKILL, /*whole_group=*/true);
  exit_status_ = TryReap(child_).value_or(ExitStatus());
  watch_.reset();
  callbacks_.on_exit(*exit_status_);
}

void PluginProcess::Signal(int signal) {
  if (exit_status_.has_value()) return;
  SendSignal(child_, signal, child_.leads_group);
}

}  // namespace goplugin::internal
