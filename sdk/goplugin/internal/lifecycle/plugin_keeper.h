#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_KEEPER_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_KEEPER_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/connect/mux_link.h"
#include "goplugin/internal/files/plugin_files.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/shutdown_ladder.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/start/plugin_process.h"

namespace goplugin::internal {

// All that a client has of its plugin, from the first descriptor to the last,
// and the one way to end it: for a launch or a join that fails, and for a
// session.
//
//   kHolding -> kEnding -> kClosing -> kEnded
//
// kEnding ends when the process is gone, let go, or given up after SIGKILL and
// its time; kClosing when what was under way has come back, or had its time.
// Without a process the first two are over at once. Nothing can hold it up.
//
// Lives on the loop's thread, in a shared_ptr, which it keeps itself from the
// beginning of its end until kEnded.
class PluginKeeper : public std::enable_shared_from_this<PluginKeeper> {
 public:
  enum class State { kHolding, kEnding, kClosing, kEnded };

  struct Events {
    // The process has ended and said all. Once, in any state but kEnded.
    absl::AnyInvocable<void(ExitStatus)> on_exit = nullptr;
    // The end of the process's time is here, whatever became of it.
    absl::AnyInvocable<void()> on_closing = nullptr;
    // The connection is closed: forget the channel.
    absl::AnyInvocable<void()> on_disconnect = nullptr;
    // Nothing is left, but for what was given up. Once; not from inside a
    // method.
    absl::AnyInvocable<void()> on_ended = nullptr;
  };

  // `steps` is the client's lane for slow work. The runtime outlives the end.
  // `control`: where the Shutdown call is made.
  PluginKeeper(Runtime& runtime, const ShutdownOptions& options,
               std::shared_ptr<Lane> steps, std::function<CallPlace()> control);
  ~PluginKeeper();
  PluginKeeper(const PluginKeeper&) = delete;
  PluginKeeper& operator=(const PluginKeeper&) = delete;

  void set_events(Events events) { events_ = std::move(events); }

  // What a process that is to be kept here calls: output as it comes, the exit.
  PluginProcess::Callbacks ProcessCallbacks(PluginOutput& output);
  // One that comes in kEnding is killed at once; later, there is no place here.
  // A child that was given up stays somebody's, without this object too, until
  // it is reaped.
  void KeepProcess(std::unique_ptr<PluginProcess> process);
  // `output` is told what is left of them in the end.
  void KeepFiles(std::shared_ptr<PluginFiles> files,
                 std::shared_ptr<PluginOutput> output);
  void KeepMux(std::unique_ptr<MuxLink> mux) { mux_ = std::move(mux); }
  void KeepChannel(std::shared_ptr<grpc::Channel> channel) {
    channel_ = std::move(channel);
  }

  // nullptr before it is kept.
  PluginProcess* process() { return process_.get(); }
  const PluginProcess* process() const { return process_.get(); }
  // To be used on the client's lane, but for its directory's path.
  const std::shared_ptr<PluginFiles>& files() const { return files_; }
  MuxLink* mux() { return mux_.get(); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  bool exited() const {
    return process_ != nullptr && process_->exit_status().has_value();
  }

  // What is under way holds one of these, on any thread; the end waits for all
  // of them, for a while.
  std::shared_ptr<void> BeginWork();

  // The ways to end; the first begins it, and Kill hurries it.
  // By the rungs of the ladder.
  void Shutdown();
  // SIGKILL at once.
  void Kill();
  // The process is left to itself, its files as well.
  void Release();

  State state() const { return state_; }
  bool released() const { return released_; }
  // nullptr unless Shutdown or Kill has come.
  const ShutdownLadder* ladder() const { return ladder_.get(); }

 private:
  void OnExit(ExitStatus status);
  void BeginEnding();
  void EndWithoutProcess();
  void CloseLater();
  ShutdownLadder& Ladder();
  void Close();
  void CloseIfIdle();
  void CloseConnection();
  void RemoveFiles();
  void Finish();

  Runtime& runtime_;
  const ShutdownOptions options_;
  const std::shared_ptr<Lane> steps_;
  const std::function<CallPlace()> control_;
  Events events_;
  std::unique_ptr<PluginProcess> process_;
  // Used on the lane once it is kept.
  std::shared_ptr<PluginFiles> files_;
  std::shared_ptr<PluginOutput> output_;
  std::unique_ptr<MuxLink> mux_;
  std::shared_ptr<grpc::Channel> channel_;

  State state_ = State::kHolding;
  bool released_ = false;
  std::shared_ptr<ShutdownLadder> ladder_;
  // Expires with the last piece of work.
  std::weak_ptr<void> work_;
  bool removing_ = false;
  Timer patience_;
  std::shared_ptr<PluginKeeper> self_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_PLUGIN_KEEPER_H_
