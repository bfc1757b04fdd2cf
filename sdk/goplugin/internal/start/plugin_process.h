#ifndef GOPLUGIN_INTERNAL_START_PLUGIN_PROCESS_H_
#define GOPLUGIN_INTERNAL_START_PLUGIN_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/event_loop.h"

namespace goplugin::internal {

// A plugin's process, as its session sees it: a child, a process that somebody
// else started, or one that can't be seen at all. Whoever has another way to
// start plugins brings another of these. Lives on the loop's thread.
class PluginProcess {
 public:
  struct Callbacks {
    absl::AnyInvocable<void(absl::string_view)> on_stdout;
    absl::AnyInvocable<void()> on_stdout_end;
    absl::AnyInvocable<void(absl::string_view)> on_stderr;
    // Asked after on_stderr, and on_stdout: whether more may be read. If not,
    // what it was given is called on the loop's thread when it may. May be
    // null: always.
    absl::AnyInvocable<bool(absl::AnyInvocable<void()>)> has_room = nullptr;
    absl::AnyInvocable<bool(absl::AnyInvocable<void()>)> has_stdout_room =
        nullptr;
    // Called when "stdout" or "stderr" can't be read any more, with the errno,
    // before on_stdout_end. The process is left alone. May be null.
    absl::AnyInvocable<void(absl::string_view, int)> on_read_error = nullptr;
    // Called once, when everything that the process had written was handed
    // over; what it was given is to be called when that was taken in, on the
    // loop's thread. May be null.
    absl::AnyInvocable<void(absl::AnyInvocable<void()>)> on_last_words =
        nullptr;
    // Called once, behind on_last_words, also when a grandchild keeps the pipes
    // open. A child is reaped.
    absl::AnyInvocable<void(ExitStatus)> on_exit;
  };

  virtual ~PluginProcess() = default;
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  // Replaces what is called from now on; not from inside one of them.
  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }

  // Whether its exit is seen and signals reach it.
  virtual bool controllable() const = 0;
  // Whether one signal can be told from another. Where not, any of them is the
  // end at once.
  virtual bool takes_signals() const { return true; }
  // It has ended, and what it has started is waited for, no longer than 1 s,
  // before that is told.
  virtual bool awaits_others() const { return false; }
  // Sends `signal` to the process and to what it has started, as far as that is
  // found (Descendants). Without effect after the exit, and on what is not
  // controllable.
  virtual void Signal(int signal) = 0;
  // Ends its stdin, if that is a pipe which is open still: true.
  virtual bool CloseStdin() { return false; }
  // It serves: what it has started by now ends with it, should it end unasked.
  virtual void OnServing() {}
  // It is asked to end: what it leaves then is its own matter, without signals.
  virtual void OnAsked() {}
  // The process is to run on when this object goes.
  virtual void Detach() = 0;

  // -1 when it is not known.
  pid_t pid() const { return pid_; }
  const absl::optional<ExitStatus>& exit_status() const { return exit_status_; }
  // What went wrong in ending it or in waiting for it, for errors; "" for
  // nothing.
  const std::string& trouble() const { return trouble_; }

 protected:
  PluginProcess(pid_t pid, Callbacks callbacks)
      : pid_(pid), callbacks_(std::move(callbacks)) {}

  Callbacks& callbacks() { return callbacks_; }
  // Once, when all that the process had written was handed over.
  void Exited(ExitStatus status) {
    if (callbacks_.on_last_words == nullptr) return TellExit(status);
    callbacks_.on_last_words(
        [weak = std::weak_ptr<PluginProcess*>(self_), status] {
          if (const auto self = weak.lock()) (*self)->TellExit(status);
        });
  }
  void set_trouble(std::string trouble) { trouble_ = std::move(trouble); }

 private:
  void TellExit(ExitStatus status) {
    exit_status_ = status;
    callbacks_.on_exit(status);
  }

  const pid_t pid_;
  Callbacks callbacks_;
  absl::optional<ExitStatus> exit_status_;
  std::string trouble_;
  // What a late end of the last words looks for: gone with this object.
  const std::shared_ptr<PluginProcess*> self_ =
      std::make_shared<PluginProcess*>(this);
};

// Called on the loop's thread.
using MakePluginProcess =
    absl::AnyInvocable<std::unique_ptr<PluginProcess>(
                           EventLoop&, PluginProcess::Callbacks) &&>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_START_PLUGIN_PROCESS_H_
