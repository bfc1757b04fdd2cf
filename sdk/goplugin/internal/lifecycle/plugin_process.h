#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_PROCESS_H_

#include <sys/types.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/process/spawn.h"

namespace goplugin::internal {

// A running child, watched: its pipes until they end, its exit once. Lives on
// the loop's thread.
class PluginProcess {
 public:
  struct Callbacks {
    absl::AnyInvocable<void(absl::string_view)> on_stdout;
    absl::AnyInvocable<void()> on_stdout_end;
    absl::AnyInvocable<void(absl::string_view)> on_stderr;
    // Called when "stdout" or "stderr" can't be read any more, with the errno,
    // before on_stdout_end. The process is left alone. May be null.
    absl::AnyInvocable<void(absl::string_view, int)> on_read_error = nullptr;
    // Called once, after everything that the process had written was handed
    // over, also when a grandchild keeps the pipes open. The process is reaped.
    absl::AnyInvocable<void(ExitStatus)> on_exit;
  };

  PluginProcess(EventLoop& loop, ChildProcess child, Callbacks callbacks);

  // Replaces what is called from now on; not from inside one of them.
  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }

  // Sends `signal` to the process, and with a process group of its own to all
  // of that group. Without effect after the exit.
  void Signal(int signal);

  pid_t pid() const { return child_.pid; }
  const absl::optional<ExitStatus>& exit_status() const { return exit_status_; }

 private:
  void OnReadingEnded(absl::string_view stream, int error);
  void WatchExit();
  void OnMaybeExited();

  EventLoop& loop_;
  ChildProcess child_;
  Callbacks callbacks_;
  absl::optional<ExitStatus> exit_status_;
  PipeReader stdout_;
  PipeReader stderr_;
  Timer poll_;
  std::unique_ptr<ReadableWatch> watch_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_PROCESS_H_
