#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STATE_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STATE_H_

#include <grpcpp/channel.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "goplugin/reattach.h"

namespace goplugin::internal {

// What any thread may see of a session, and wait for. Thread-safe, apart from
// the plain members, which are constant once the launch is told.
//
// It is an object of its own so that the loop can tell the last news after it
// has let go of the session itself.
class SessionState {
 public:
  using ExitCallback = absl::AnyInvocable<void(ExitStatus, absl::Status) &&>;
  using EndCallback = absl::AnyInvocable<void(absl::Status) &&>;

  // How long before this host's own Shutdown a plugin may have been stopped for
  // it to be the same stop.
  static constexpr absl::Duration kSameStop = absl::Seconds(5);

  // How a client ended.
  struct End {
    ExitStatus exit_status;
    // OK when the exit was asked for, else the crash.
    absl::Status exit_error;
    // What Shutdown answers.
    absl::Status result;
    // The client let go of the plugin, which may run on.
    bool released = false;
    // Nobody had asked for it through this client.
    bool unasked = false;
    // The same, and it ended by IsStop, or by IsOrderlyExit as one does that
    // handles such a signal.
    bool by_stop = false;
    // By ExcuseStop.
    bool excused = false;
  };

  HandshakeResponse response;
  LaunchTimings timings;
  pid_t pid = -1;
  bool uses_tls = false;
  bool multiplexed = false;
  // The exit is seen.
  bool sees_exit = true;
  // Why Kill, Detach and a reattach config are not to be had; OK when they are.
  absl::Status may_kill;
  absl::Status may_detach;
  absl::StatusOr<ReattachConfig> reattach_config;

  std::shared_ptr<grpc::Channel> channel() const;
  void set_channel(std::shared_ptr<grpc::Channel> channel);

  // Why no call can succeed any more although the plugin may live; OK when
  // there is nothing of the kind.
  absl::Status lost() const;
  void set_lost(absl::Status why);

  // Why calls hang; "" when nothing is known of it.
  std::string hang() const;
  void set_hang(std::string why);

  // `why`: what to say of calls that failed from then on.
  void SetExited(ExitStatus status, absl::Status why);
  // OK before SetExited.
  absl::Status exit_error() const;
  absl::optional<ExitStatus> exit_status() const;
  // False when the time is over, or the session ended without an exit.
  bool WaitForExit(absl::Duration timeout) const;

  // Three steps, each once: the end is known; its callbacks are called, exits
  // first; the waiting threads wake. The last two in any order.
  void SetEnd(End end);
  void CallBack();
  void NotifyEnded();
  // This host shuts down by itself now: an end by_stop that is no longer ago
  // than `close` came of the same stop, and is no crash to Shutdown. True when
  // that was so. An orderly exit that the host knows of as a crash, because it
  // cost it a call, stays one.
  bool ExcuseStop(absl::Duration close);
  // A call was told to have failed by the end.
  void SetExplained();
  // Nullopt before SetEnd.
  absl::optional<End> end() const;
  bool ended() const;
  bool WaitForEnd(absl::Duration timeout) const;

  // Called by CallBack, or later through `lane`.
  void OnExit(ExitCallback callback, Lane& lane);
  void OnEnd(EndCallback callback, Lane& lane);

 private:
  bool ExitIsDecided() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return exit_status_.has_value() || ended_;
  }

  mutable absl::Mutex mutex_;
  mutable SteadyCondition changed_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
  std::string hang_ ABSL_GUARDED_BY(mutex_);
  absl::optional<ExitStatus> exit_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status exit_error_ ABSL_GUARDED_BY(mutex_);
  absl::optional<End> end_ ABSL_GUARDED_BY(mutex_);
  Stopwatch since_end_ ABSL_GUARDED_BY(mutex_);
  bool explained_ ABSL_GUARDED_BY(mutex_) = false;
  bool called_back_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<ExitCallback> exit_callbacks_ ABSL_GUARDED_BY(mutex_);
  std::vector<EndCallback> end_callbacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_SESSION_STATE_H_
