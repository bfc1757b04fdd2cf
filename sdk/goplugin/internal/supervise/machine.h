#ifndef GOPLUGIN_INTERNAL_SUPERVISE_MACHINE_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_MACHINE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/supervise/breaker.h"
#include "goplugin/internal/supervise/decision.h"
#include "goplugin/internal/supervise/happening.h"
#include "goplugin/internal/supervise/health_judge.h"
#include "goplugin/internal/supervise/replica_set.h"
#include "goplugin/internal/supervise/rollout.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"

namespace goplugin::internal {

// Applies a policy: time and events in, decisions out. Pure: no threads, no
// clock, no processes, no gRPC. Not thread-safe.
//
// Every method takes the time, of any monotonic clock. What it decides is taken
// by TakeDecisions and to be done in order; OnTime is to be called at
// next_look(), earlier or later. What it is told of generations that are gone
// is no news.
//
// Level-triggered: an event changes what is known, and Settle looks at all of
// it and does what is missing.
class Machine {
 public:
  // What it asks for while it decides.
  struct Questions {
    // A number from 0 to 1.
    std::function<double()> random;
    std::function<Activity(std::uint64_t generation)> activity;
  };

  // `options` have been checked.
  Machine(const SupervisorOptions& options, Questions questions);

  // What a host asks for. Each request is answered once. Start comes first, and
  // once; `version` is of a source that is new.
  void Start(absl::Duration now, Request request);
  void Replace(absl::Duration now, Request request, int version);
  void Restart(absl::Duration now, Request request);
  void Shutdown(absl::Duration now, Request request);
  void Scale(absl::Duration now, int replicas);
  // A call found nobody.
  void Want(absl::Duration now);

  // What became of decisions, and what happened by itself.
  void OnLaunched(absl::Duration now, std::uint64_t id);
  // Nothing of it is left. `unhealable`: it would fail again.
  void OnStartFailed(absl::Duration now, std::uint64_t id,
                     const absl::Status& why, bool unhealable);
  // An error also of one that was launched and is not wanted.
  void OnPrepared(absl::Duration now, std::uint64_t id,
                  const absl::Status& result, bool unhealable);
  void OnHealth(absl::Duration now, std::uint64_t id, HealthAnswer answer);
  // It ended unasked, and nothing of it is left.
  void OnExited(absl::Duration now, std::uint64_t id, const absl::Status& why);
  // It was ended, and nothing of it is left.
  void OnEnded(absl::Duration now, std::uint64_t id,
               const absl::Status& result);
  void OnTime(absl::Duration now) { Settle(now); }

  Decisions TakeDecisions();
  // What was not taken yet, in its order. Nothing is to be done about it.
  Happenings TakeHappenings();
  absl::Duration next_look() const { return next_look_; }

  SupervisorState state() const;
  // Whether what no replica can take now may be taken by one later.
  bool may_recover() const { return !stopping_ && !breaker_.open(); }
  bool breaker_open() const { return breaker_.open(); }
  const ReplicaSet& replicas() const { return replicas_; }
  // When the next start of an empty slot is due; InfiniteDuration when none is.
  absl::Duration StartAt(int slot) const;
  const absl::Status& last_failure() const { return last_failure_; }
  std::uint64_t failures() const { return failures_; }
  // It was shut down, and nothing is left.
  bool finished() const { return stopping_ && replicas_.empty(); }
  bool stopping() const { return stopping_; }
  bool asleep() const { return asleep_; }
  // The source that there is, but for what is being replaced.
  int version() const { return version_; }
  // Which sources may still be needed.
  std::vector<int> versions() const;

 private:
  using Role = Generation::Role;
  using Stage = Generation::Stage;

  // How often it is looked whether the last call under way is over; first so
  // long after new ones have stopped, since one may just be on its way.
  static constexpr absl::Duration kDrainLook = absl::Milliseconds(10);

  void Decide(Decision::Kind kind, const Generation& generation);
  void Answer(Request request, absl::Status status);

  // machine_tell.cc: what has happened. `whose`: null is nobody's doing.
  Happening& Tell(Happening::Kind kind, const Generation* whose);
  void TellFailure(absl::Duration now, const Generation& failed,
                   const absl::Status& why);
  void TellRestart(const Generation& started);
  void TellHealth(const Generation& generation, bool serving);
  // Where it has another state.
  void TellBreaker(absl::Duration now, const Generation* whose);

  // machine_life.cc: a generation's way.
  void StartIn(absl::Duration now, int slot, int version, Role role,
               bool probe);
  void OnReady(absl::Duration now, Generation& generation);
  void BecomeUp(absl::Duration now, Generation& generation, bool serving);
  void TakeOver(absl::Duration now, Generation& generation);
  void Use(Generation& generation);
  void Withdraw(Generation& generation);
  // Out of use, its calls first.
  void Leave(absl::Duration now, Generation& generation);
  void End(Generation& generation);
  void Fail(absl::Duration now, Generation& generation, const absl::Status& why,
            bool unhealable, bool gone);
  void CountFailure(absl::Duration now, const Generation& failed,
                    const absl::Status& why, bool unhealable);

  // machine_settle.cc: what is missing.
  void Settle(absl::Duration now);
  void LookForStandstill(absl::Duration now);
  void ExpireStages(absl::Duration now);
  void AdvanceRollouts(absl::Duration now);
  void BeginRollout(absl::Duration now);
  void FinishRollout(absl::Duration now);
  void FallAsleep(absl::Duration now);
  void FillVacancies(absl::Duration now);
  void CheckHealth(absl::Duration now);
  void AnswerStart();
  void FinishShutdown();
  absl::Duration NextLook(absl::Duration now) const;
  bool MayFallAsleep() const;
  void BeginStopping();
  void Rouse(absl::Duration now);

  const SupervisorOptions options_;
  const Questions questions_;
  ReplicaSet replicas_;
  Breaker breaker_;
  Breaker::State told_breaker_ = Breaker::State::kClosed;
  Decisions decisions_;
  Happenings happenings_;
  int version_ = 0;
  absl::Duration next_look_ = absl::InfiniteDuration();
  absl::Duration last_look_ = absl::ZeroDuration();
  absl::Status last_failure_;
  std::uint64_t failures_ = 0;

  // Not answered yet, 0 when it is.
  Request start_ = 0;
  absl::Status start_failure_;
  bool ever_up_ = false;

  // Nobody has called yet, or for long.
  bool asleep_ = false;
  absl::Duration active_at_ = absl::ZeroDuration();
  std::uint64_t heard_ = 0;

  // The first is under way.
  std::deque<Rollout> rollouts_;
  bool rollout_begun_ = false;

  bool stopping_ = false;
  std::vector<Request> shutdowns_;
  absl::Status shutdown_result_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_MACHINE_H_
