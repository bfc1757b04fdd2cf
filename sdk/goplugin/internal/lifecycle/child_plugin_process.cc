#include "goplugin/internal/lifecycle/child_plugin_process.h"

#include <signal.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/file_tail.h"
#include "goplugin/internal/process/detached.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/spawn.h"

namespace goplugin::internal {
namespace {

// How often the exit is looked for where the system has no pidfds.
constexpr absl::Duration kExitPoll = absl::Milliseconds(20);
// The most that is read after the exit. A pipe holds 64 KiB, 1 MiB at most for
// ordinary users; more can only come from somebody who still writes.
constexpr size_t kLastWords = size_t{1024} * 1024;

// A plugin that may outlive its host writes to files.
std::unique_ptr<OutputReader> MakeReader(EventLoop& loop, UniqueFd output,
                                         OutputReader::Callbacks callbacks) {
  struct stat file = {};
  fstat(output.get(), &file);
  if (S_ISREG(file.st_mode) || S_ISCHR(file.st_mode)) {
    return std::make_unique<FileTail>(loop, output.release(),
                                      std::move(callbacks));
  }
  return std::make_unique<PipeReader>(loop, output.release(),
                                      std::move(callbacks));
}

}  // namespace

ChildPluginProcess::ChildPluginProcess(EventLoop& loop, ChildProcess child,
                                       Callbacks callbacks)
    : PluginProcess(child.pid, std::move(callbacks)),
      loop_(loop),
      child_(std::move(child)),
      poll_(loop) {
  stdout_ = MakeReader(
      loop, std::move(child_.stdout_pipe),
      {[this](absl::string_view bytes) { this->callbacks().on_stdout(bytes); },
       [this](int error) {
         OnReadingEnded("stdout", error);
         this->callbacks().on_stdout_end();
       }});
  stderr_ = MakeReader(
      loop, std::move(child_.stderr_pipe),
      {[this](absl::string_view bytes) { this->callbacks().on_stderr(bytes); },
       [this](int error) { OnReadingEnded("stderr", error); }});
  WatchExit();
}

void ChildPluginProcess::OnReadingEnded(absl::string_view stream, int error) {
  if (error == 0 || callbacks().on_read_error == nullptr) return;
  callbacks().on_read_error(stream, error);
}

void ChildPluginProcess::WatchExit() {
  if (child_.pidfd.valid()) {
    watch_ = std::make_unique<ReadableWatch>(loop_, child_.pidfd.get(),
                                             [this] { OnMaybeExited(); });
  } else {
    poll_.Start(kExitPoll, [this] { OnMaybeExited(); });
  }
}

void ChildPluginProcess::OnMaybeExited() {
  if (!HasExited(child_)) return WatchExit();
  stderr_->Drain(kLastWords);
  stdout_->Drain(kLastWords);
  // What is left of the plugin's own group goes with it, as long as its number
  // can't have been given to anybody else.
  if (child_.leads_group) SendSignal(child_, SIGKILL, /*whole_group=*/true);
  const ExitStatus status = TryReap(child_).value_or(ExitStatus());
  watch_.reset();
  Exited(status);
}

void ChildPluginProcess::Signal(int signal) {
  if (exit_status().has_value()) return;
  SendSignal(child_, signal, child_.leads_group);
}

void ChildPluginProcess::Detach() {
  if (exit_status().has_value()) return;
  watch_.reset();
  poll_.Cancel();
  KeepDetached(std::move(child_));
}

}  // namespace goplugin::internal
