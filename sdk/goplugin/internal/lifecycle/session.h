#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/lifecycle/plugin_keeper.h"
#include "goplugin/internal/lifecycle/plugin_source.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session_broker.h"
#include "goplugin/internal/lifecycle/session_state.h"
#include "goplugin/internal/lifecycle/session_stdio.h"
#include "goplugin/internal/lifecycle/session_telemetry.h"
#include "goplugin/internal/lifecycle/starvation_watch.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/reattach.h"

namespace goplugin::internal {

// One client's whole life: the start, the time in between, the end.
//
//   kNew -> kStarting -> kLive -> kEnded
//                |                  ^
//                +--- it fails -----+
//
// What the loop's thread owns is here; what other threads see of it is in
// SessionState, what there is of the plugin in its keeper, which ends it.
//
// A session keeps itself alive from Start until the plugin is gone. The methods
// are thread-safe; those that wait answer kWrongThread on the SDK's own
// threads, and kForked in a forked child.
class Session : public std::enable_shared_from_this<Session> {
 public:
  // Errors: Runtime::Acquire's.
  static absl::StatusOr<std::shared_ptr<Session>> Create(MakeSource source,
                                                         ClientOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `ready` runs on the loop's thread, and must not block: OK when the
  // plugin is ready, else once nothing of it is left.
  void Start(absl::AnyInvocable<void(absl::Status) &&> ready);
  void CancelStart();
  // Runs `callback` on the pool for completions.
  void PostCompletion(absl::AnyInvocable<void()> callback);

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
  void ExplainAsync(grpc::Status call, SessionState::EndCallback done);

  // Start the end, of a start as well; no-ops when it has begun.
  void BeginShutdown();
  void BeginKill();
  // Leaves the plugin running; the session's end is near.
  absl::StatusOr<ReattachConfig> Detach();
  // Waits for an end that has begun.
  absl::Status WaitForEnd();
  bool WaitForEnd(absl::Duration timeout);
  // How long an end may take.
  absl::Duration LongestEnd() const;
  // Waits until the loop has run, and dropped, what was posted before: the
  // caller's reference is then the last, and the threads end with it. Else they
  // may end while the process runs its exit handlers.
  void WaitForLoop();
  // `told` is called on the loop's thread once nothing of the plugin is left,
  // and must not block. Unlike OnExit and OnEnd it does not wait for the host's
  // sinks. Once a plugin was launched.
  using GoneCallback = absl::AnyInvocable<void(const SessionState::End&) &&>;
  void OnGone(GoneCallback told);
  // A Client's, whose friend this is; a template, since nothing in here
  // includes client.h.
  template <typename AnyClient>
  static const std::shared_ptr<Session>& Of(const AnyClient& client) {
    return client.session_;
  }
  bool ended() const { return state_->ended(); }
  void OnEnd(SessionState::EndCallback callback);

  // OK where a blocking method may be called: kForked, kShutDown when the
  // process exits, kWrongThread on the SDK's own threads.
  static absl::Status CheckMayBlock();

 private:
  enum class State {
    kNew,  // until the loop has begun; others may end it by then
    kStarting,
    kLive,
    kEnded
  };

  // A failed call that waits for the exit which may explain it.
  struct Question {
    grpc::Status call;
    SessionState::EndCallback done;
    // Counted by stopwatch_.
    absl::Duration until;
  };

  Session(std::shared_ptr<Runtime> runtime, MakeSource source,
          ClientOptions options);

  // On the loop's thread, as everything below.
  void Begin();
  // Ends a start, also one that is still to begin.
  void EndStart();
  void Report(LaunchPhase phase, absl::Duration when);
  void TellLaunched(const absl::Status& status);
  // What a Shutdown may still excuse is told when that has come, or comes too
  // late.
  void TellExited();
  void TellExitedNow();
  void WatchUsage();
  void OnReady(absl::StatusOr<ReadyPlugin> plugin);
  void Live(ReadyPlugin plugin);
  void Tell();
  // What the caller need not wait for, nor his first call.
  void Settle();
  void OpenStreams();
  void MakeStdio();
  void MakeStarvationWatch();
  // Nobody has begun the plugin's end, and it is connected.
  bool Holds() const;
  void MakeBroker();
  void OnProcessExit(ExitStatus status);
  void OnClosing();
  void OnDisconnect();
  void OnBrokerCut(const grpc::Status& status);
  void OnMuxEnd(const absl::Status& status);
  void Finish();
  SessionState::End Summary() const;
  absl::Status Crash(ExitStatus status) const;
  // Shutdown's error, with the plugin's name.
  absl::Status NamedResult(const absl::Status& result) const;
  // What is known of a failed call now.
  absl::Status Explanation(const grpc::Status& call) const;
  void AddQuestion(grpc::Status call, SessionState::EndCallback done);
  // Those that have waited long enough, or all.
  void AnswerQuestions(bool all);
  // Of an end that this host's Shutdown comes close behind. Any thread.
  void ExcuseStop();
  // Lets go of the session, then runs `last`. What drops the last reference
  // joins the threads, so it should be the waiting caller, not the loop.
  void Leave(absl::AnyInvocable<void() &&> last);
  // Where the client's own calls are made that its interceptors see.
  CallPlace ControlPlace() const;
  // Runs `callback` as a completion once the sinks have had all output.
  void PostAfterOutput(absl::AnyInvocable<void()> callback);

  const Stopwatch stopwatch_;
  const MakeSource make_source_;
  const ClientOptions options_;
  // Declared before what runs on its threads.
  const std::shared_ptr<Runtime> runtime_;
  // Null: the user wants none.
  const std::shared_ptr<SessionTelemetry> telemetry_;
  // The lanes of this client: for its sinks, for completions, for slow work.
  const std::shared_ptr<Lane> callbacks_;
  const std::shared_ptr<Lane> completions_;
  const std::shared_ptr<Lane> steps_;
  // For the interceptors of its own calls.
  const std::shared_ptr<Lane> control_;
  const std::shared_ptr<SessionState> state_;

  std::shared_ptr<Session> self_;
  State at_ = State::kNew;
  // It is to end as soon as it begins.
  bool unwanted_ = false;
  std::shared_ptr<PluginOutput> output_;
  std::shared_ptr<PluginKeeper> keeper_;
  std::shared_ptr<PluginSource> source_;
  absl::AnyInvocable<void(absl::Status) &&> ready_;
  std::vector<GoneCallback> gone_;
  ReadyPlugin plugin_;
  std::unique_ptr<SessionBroker> broker_;
  std::shared_ptr<SessionStdio> stdio_;
  std::shared_ptr<StarvationWatch> starvation_;
  std::unique_ptr<Timer> stdio_deadline_;
  // After the end of the broker's stream, for what explains it.
  std::unique_ptr<Timer> broker_cut_;
  // After the end of a multiplexed connection, for the exit that explains it.
  std::unique_ptr<Timer> mux_end_;
  std::unique_ptr<Timer> settling_;
  std::unique_ptr<Timer> usage_;
  // While an exit is not told yet.
  std::unique_ptr<Timer> exit_telling_;
  absl::Duration lifetime_ = absl::ZeroDuration();
  // The oldest first.
  std::deque<Question> questions_;
  std::unique_ptr<Timer> question_deadline_;
  // This host has asked for the end by itself. Set on any thread.
  std::atomic<bool> shutdown_asked_{false};
};

// The end of all sessions of this process, when it exits in an orderly way:
// within their own times, and without calling anybody.
void EndSessionsAtExit();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_H_
