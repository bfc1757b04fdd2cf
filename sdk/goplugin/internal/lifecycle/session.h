#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/endpoint.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session_broker.h"
#include "goplugin/internal/lifecycle/session_state.h"
#include "goplugin/internal/lifecycle/shutdown_ladder.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/reattach.h"

namespace goplugin::internal {

// One client's whole life: the start, the time in between, the end. What the
// loop's thread owns is here; what other threads see of it is in SessionState.
//
// A session keeps itself alive from Start until the plugin is gone. The methods
// are thread-safe; those that wait answer kWrongThread on the SDK's own
// threads, and kForked in a forked child.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // Errors: Runtime::Acquire's.
  static absl::StatusOr<std::shared_ptr<Session>> Create(MakeSource source,
                                                         ClientOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `ready` runs on the loop's thread, and must not block: OK when the
  // plugin is ready, else once nothing of it is left.
  void Start(absl::AnyInvocable<void(absl::Status) &&> ready);
  void CancelStart();

  // Runs `callback` as a user's callback, after those before it.
  void PostCallback(absl::AnyInvocable<void()> callback);

  // After a launch that went well; constant from then on.
  const HandshakeResponse& response() const { return state_->response; }
  const LaunchTimings& timings() const { return state_->timings; }
  pid_t pid() const { return state_->pid; }
  bool uses_tls() const { return state_->uses_tls; }
  bool multiplexed() const { return state_->multiplexed; }
  const absl::Status& may_kill() const { return state_->may_kill; }
  const absl::StatusOr<ReattachConfig>& reattach_config() const {
    return state_->reattach_config;
  }

  Broker& broker() { return broker_->broker(); }

  std::shared_ptr<grpc::Channel> channel() const { return state_->channel(); }
  absl::optional<ExitStatus> exit_status() const {
    return state_->exit_status();
  }
  absl::StatusOr<ExitStatus> WaitForExit(absl::Duration timeout) const;
  void OnExit(SessionState::ExitCallback callback);
  absl::Status Ping(absl::Duration timeout);
  absl::Status Explain(const grpc::Status& call) const;

  // Start the end; no-ops when it has begun.
  void BeginShutdown();
  void BeginKill();
  // Leaves the plugin running; the session's end is near.
  absl::StatusOr<ReattachConfig> Detach();
  // Waits for an end that has begun.
  absl::Status WaitForEnd();
  bool WaitForEnd(absl::Duration timeout);
  // Waits until the loop has run, and dropped, what was posted before: the
  // caller's reference is then the last, and the threads end with it. Else they
  // may end while the process runs its exit handlers.
  void WaitForLoop();
  bool ended() const { return state_->ended(); }
  void OnEnd(SessionState::EndCallback callback);

  // kWrongThread on the SDK's own threads.
  static absl::Status CheckThread();
  // OK where a blocking method may be called.
  absl::Status CheckMayBlock() const;
  bool forked() const;

 private:
  Session(std::shared_ptr<Runtime> runtime, MakeSource source,
          ClientOptions options);

  // On the loop's thread, as everything below.
  void Report(LaunchPhase phase, absl::Duration when);
  void OnReady(absl::StatusOr<ReadyPlugin> plugin);
  void Live(ReadyPlugin plugin);
  void Tell();
  void StartStdio();
  void MakeBroker();
  void StartLadder(bool kill);
  // The end of a session whose plugin runs on.
  void Release();
  void DropChannel();
  void OnProcessExit(ExitStatus status);
  void ExpectStdioEnd();
  void OnStdioEnd();
  void OnMuxEnd(const absl::Status& status);
  void FinishIfIdle();
  void Finish();
  // Lets go of the session, then runs `last`. What drops the last reference
  // joins the threads, so it should be the waiting caller, not the loop.
  void Leave(absl::AnyInvocable<void() &&> last);

  const pid_t owner_;
  const Stopwatch stopwatch_;
  const MakeSource make_source_;
  const ClientOptions options_;
  // Declared before what runs on its threads.
  const std::shared_ptr<Runtime> runtime_;
  const std::shared_ptr<CallbackQueue> callbacks_;
  const std::shared_ptr<SessionState> state_;

  std::shared_ptr<Session> self_;
  std::shared_ptr<PluginOutput> output_;
  std::shared_ptr<PluginSource> source_;
  absl::AnyInvocable<void(absl::Status) &&> ready_;
  ReadyPlugin plugin_;
  std::unique_ptr<SessionBroker> broker_;
  std::shared_ptr<ShutdownLadder> ladder_;
  CallHandle stdio_;
  bool stdio_open_ = false;
  // Nothing more is to come of the process.
  bool exited_ = false;
  bool released_ = false;
  // From when the stream's end is near until it is there.
  absl::optional<CallQueue::Hurry> stdio_ends_;
  std::unique_ptr<Timer> stdio_deadline_;
  // After the end of a multiplexed connection, for the exit that explains it.
  std::unique_ptr<Timer> mux_end_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_
