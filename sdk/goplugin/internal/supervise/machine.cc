#include "goplugin/internal/supervise/machine.h"

#include <algorithm>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/supervise/supervise_error.h"

// What the machine is asked and told.

namespace goplugin::internal {
namespace {

// How soon one that is not healthy yet is asked again, at most.
constexpr absl::Duration kAskAgain = absl::Milliseconds(100);
// The call that a plugin was started for takes a moment to reach it, and who
// looks more often is busy with nothing else.
constexpr absl::Duration kLeastIdle = absl::Milliseconds(100);

SupervisorOptions WithLeasts(SupervisorOptions options) {
  options.idle_timeout = std::max(options.idle_timeout, kLeastIdle);
  return options;
}

// A moment earlier it would have been a failure that a Shutdown does not tell,
// and whether it was is a race.
bool DiedByItself(const absl::Status& end) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(end);
  return details.has_value() && details->reason == Reason::kCrashed;
}

}  // namespace

Machine::Machine(const SupervisorOptions& options, Questions questions)
    : options_(WithLeasts(options)),
      questions_(std::move(questions)),
      breaker_(options.restart) {
  replicas_.Resize(options.replicas);
}

void Machine::Decide(Decision::Kind kind, const Generation& generation) {
  Decision decision;
  decision.kind = kind;
  decision.generation = generation.id;
  decision.slot = generation.slot;
  decision.version = generation.version;
  decisions_.push_back(std::move(decision));
}

void Machine::Answer(Request request, absl::Status status) {
  if (request == 0) return;
  Decision decision;
  decision.kind = Decision::Kind::kAnswer;
  decision.request = request;
  decision.status = std::move(status);
  decisions_.push_back(std::move(decision));
}

Decisions Machine::TakeDecisions() { return std::exchange(decisions_, {}); }

// ---- What a host asks for ---------------------------------------------------

void Machine::Start(absl::Duration now, Request request) {
  active_at_ = now;
  if (options_.start == StartMode::kLazy) {
    asleep_ = true;
    Answer(request, absl::OkStatus());
  } else {
    start_ = request;
  }
  Settle(now);
}

void Machine::Replace(absl::Duration now, Request request, int version) {
  if (stopping_) return Answer(request, SupervisorShutDownError());
  rollouts_.push_back(Rollout::Replace(request, version));
  Settle(now);
}

void Machine::Restart(absl::Duration now, Request request) {
  if (stopping_) return Answer(request, SupervisorShutDownError());
  rollouts_.push_back(Rollout::Restart(request));
  Settle(now);
}

void Machine::Shutdown(absl::Duration now, Request request) {
  shutdowns_.push_back(request);
  BeginStopping();
  Settle(now);
}

void Machine::Scale(absl::Duration now, int replicas) {
  if (stopping_) return;
  const int before = replicas_.replicas();
  replicas_.Resize(replicas);
  for (int slot = replicas; slot < before; ++slot) {
    for (auto& [id, generation] : replicas_.generations()) {
      if (generation.slot == slot) Leave(now, generation);
    }
    replicas_.slot(slot) = Slot();
  }
  Settle(now);
}

void Machine::Want(absl::Duration now) {
  if (!asleep_ || stopping_) return;
  Rouse(now);
  Settle(now);
}

// ---- What it is told --------------------------------------------------------

void Machine::OnLaunched(absl::Duration now, std::uint64_t id) {
  LookForStandstill(now);
  Generation* const generation = replicas_.Find(id);
  if (generation == nullptr || generation->stage != Stage::kStarting) return;
  generation->stage = Stage::kPreparing;
  generation->deadline = now + options_.prepare_timeout;
  if (options_.prepare == nullptr) {
    OnReady(now, *generation);
  } else {
    Decide(Decision::Kind::kPrepare, *generation);
  }
  Settle(now);
}

void Machine::OnStartFailed(absl::Duration now, std::uint64_t id,
                            const absl::Status& why, bool unhealable) {
  Generation* const generation = replicas_.Find(id);
  if (generation == nullptr) return;
  Fail(now, *generation, why, unhealable, /*gone=*/true);
  Settle(now);
}

void Machine::OnPrepared(absl::Duration now, std::uint64_t id,
                         const absl::Status& result, bool unhealable) {
  LookForStandstill(now);
  Generation* const generation = replicas_.Find(id);
  if (generation == nullptr || generation->stage > Stage::kPreparing) return;
  if (result.ok()) {
    OnReady(now, *generation);
  } else {
    Fail(now, *generation, result, unhealable, /*gone=*/false);
  }
  Settle(now);
}

void Machine::OnHealth(absl::Duration now, std::uint64_t id,
                       HealthAnswer answer) {
  LookForStandstill(now);
  Generation* const generation = replicas_.Find(id);
  if (generation == nullptr || !generation->checking) return;
  generation->checking = false;
  if (generation->stage == Stage::kChecking) {
    const bool waits =
        answer == HealthAnswer::kNone || (answer == HealthAnswer::kNotServing &&
                                          generation->role == Role::kBeside);
    if (waits) {
      generation->check_at =
          now + std::min(options_.health.interval, kAskAgain);
    } else {
      BecomeUp(now, *generation, answer == HealthAnswer::kServing);
    }
  } else if (generation->stage == Stage::kUp) {
    generation->check_at =
        std::max(now, generation->health.asked_at() + options_.health.interval);
    const absl::Duration silence = now - generation->health.alive_at();
    switch (generation->health.Judge(options_.health, now, answer,
                                     questions_.activity(id))) {
      case HealthJudge::Verdict::kServing:
        if (!generation->used) TellHealth(*generation, /*serving=*/true);
        Use(*generation);
        break;
      case HealthJudge::Verdict::kNotServing:
        if (generation->used) TellHealth(*generation, /*serving=*/false);
        Withdraw(*generation);
        break;
      case HealthJudge::Verdict::kUndecided:
        break;
      case HealthJudge::Verdict::kHung:
        Fail(now, *generation,
             OfReplica(HungError(generation->health.missed(), silence),
                       generation->slot, id),
             /*unhealable=*/false, /*gone=*/false);
        break;
    }
  }
  Settle(now);
}

void Machine::OnExited(absl::Duration now, std::uint64_t id,
                       const absl::Status& why) {
  Generation* const generation = replicas_.Find(id);
  // Of one that is being ended, the end is told.
  if (generation == nullptr || generation->stage == Stage::kEnding) return;
  Fail(now, *generation, why, /*unhealable=*/false, /*gone=*/true);
  Settle(now);
}

void Machine::OnEnded(absl::Duration now, std::uint64_t id,
                      const absl::Status& result) {
  if (replicas_.Find(id) == nullptr) return;
  if (stopping_ && DiedByItself(result)) {
    last_failure_ = result;
  } else if (stopping_) {
    shutdown_result_.Update(result);
  }
  replicas_.Erase(id);
  Settle(now);
}

// ---- What it says -----------------------------------------------------------

SupervisorState Machine::state() const {
  if (stopping_ || asleep_) return SupervisorState::kStopped;
  int up = 0;
  int used = 0;
  for (const auto& [id, generation] : replicas_.generations()) {
    if (generation.role != Role::kCurrent) continue;
    if (generation.slot >= replicas_.replicas()) continue;
    up += generation.stage == Stage::kUp ? 1 : 0;
    used += generation.used ? 1 : 0;
  }
  if (used == replicas_.replicas()) return SupervisorState::kReady;
  if (up > 0) return SupervisorState::kDegraded;
  if (breaker_.open()) return SupervisorState::kGaveUp;
  return ever_up_ ? SupervisorState::kRestarting : SupervisorState::kStarting;
}

absl::Duration Machine::StartAt(int slot) const {
  const bool starts = !stopping_ && !asleep_ && replicas_.IsVacant(slot);
  if (!starts) return absl::InfiniteDuration();
  return breaker_.open() ? breaker_.probe_at() : replicas_.slot(slot).start_at;
}

std::vector<int> Machine::versions() const {
  std::vector<int> versions = {version_};
  for (const Rollout& rollout : rollouts_) {
    if (!rollout.in_place()) versions.push_back(rollout.to());
  }
  return versions;
}

}  // namespace goplugin::internal
