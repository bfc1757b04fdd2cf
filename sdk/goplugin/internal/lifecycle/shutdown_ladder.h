#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SHUTDOWN_LADDER_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SHUTDOWN_LADDER_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// An end by a signal with which a service manager, a container's engine or a
// terminal stops all of a service at once: SIGTERM, SIGINT, SIGHUP.
bool IsStop(const ExitStatus& status);
// Exit code 0: so ends a plugin that handles such a signal, as Serve does.
bool IsOrderlyExit(const ExitStatus& status);

// The ordered end of a plugin: its stdin closed if that is a pipe, its Shutdown
// call, the channel dropped, SIGTERM, SIGKILL, each after the one before had
// its time. It stops when its owner, who watches the process, calls Stop. Lives
// on the loop's thread, in a shared_ptr.
class ShutdownLadder : public std::enable_shared_from_this<ShutdownLadder> {
 public:
  struct Callbacks {
    // Some servers wait for their connections to close before they exit.
    absl::AnyInvocable<void()> drop_channel;
    // The process is still there after SIGKILL and its time.
    absl::AnyInvocable<void()> give_up;
    // The plugin was asked, and more can't be done to a process out of reach.
    absl::AnyInvocable<void()> let_go;
  };

  // `process` outlives the last step.
  ShutdownLadder(Runtime& runtime, const ShutdownOptions& options,
                 PluginProcess& process, Callbacks callbacks)
      : runtime_(runtime),
        options_(options),
        process_(process),
        callbacks_(std::move(callbacks)),
        timer_(runtime.loop()) {}

  // `work` is held while the Shutdown call is under way.
  void Start(const CallPlace& place,
             const std::shared_ptr<grpc::Channel>& channel,
             std::shared_ptr<void> work);
  // Goes to the last step at once, because the caller wants it.
  void Kill();
  // The process is gone.
  void Stop();

  // What came of it, after Stop or give_up: OK when the plugin went by itself,
  // on SIGTERM if it has no Shutdown call, or because of Kill; else
  // kShutdownForced, with the steps as evidence. Of a process out of reach: OK
  // when it took the call, else kNoProcessControl.
  absl::Status result() const;

  // Whether an exit with `status` is none of the ladder's doing: the plugin was
  // asked when it was already going down. The connection ends before the
  // process does, so that a caller may see the first and shut down before this
  // side sees the second.
  bool CameTooLate(const ExitStatus& status) const;

 private:
  enum class Step { kAsk, kLinger, kWait, kTerminate, kKill, kOver };

  void OnAnswer(const grpc::Status& status);
  void Linger();
  void WaitForExit();
  void After(absl::Duration time, std::function<void()> step);
  void Terminate();
  void SendKill();
  const char* KillName() const;
  void Record(const std::string& what);

  Runtime& runtime_;
  const ShutdownOptions options_;
  PluginProcess& process_;
  Callbacks callbacks_;
  Timer timer_;
  Stopwatch stopwatch_;
  CallHandle call_;
  bool has_controller_ = true;
  // The Shutdown call came to the plugin, which answered or hung up.
  bool asked_ = false;
  // The Shutdown call was answered with OK.
  bool answered_ = false;
  // The plugin's stdin was a pipe, and has ended.
  bool stdin_closed_ = false;
  // The signals sent.
  bool terminated_ = false;
  bool killed_ = false;
  // A step was needed that a well-behaved plugin does not need.
  bool forced_ = false;
  bool gave_up_ = false;
  Step step_ = Step::kAsk;
  std::vector<std::string> steps_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SHUTDOWN_LADDER_H_
