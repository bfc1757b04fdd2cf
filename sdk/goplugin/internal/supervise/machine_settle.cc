#include <algorithm>
#include <utility>

#include "goplugin/internal/supervise/machine.h"
#include "goplugin/internal/supervise/supervise_error.h"

// Looks at all there is, and does what is missing.

namespace goplugin::internal {
namespace {

// How many looks there are for calls in an idle_timeout.
constexpr int kIdleLooks = 4;

}  // namespace

void Machine::Settle(absl::Duration now) {
  LookForStandstill(now);
  ExpireStages(now);
  AdvanceRollouts(now);
  FallAsleep(now);
  FillVacancies(now);
  CheckHealth(now);
  AnswerStart();
  FinishShutdown();
  next_look_ = NextLook(now);
  last_look_ = now;
}

void Machine::LookForStandstill(absl::Duration now) {
  if (now - next_look_ <= HealthJudge::Lateness(options_.health)) return;
  for (auto& [id, generation] : replicas_.generations()) {
    generation.health.StartAnew(now, questions_.activity(id));
    // When it began to stand still is not known: rather too much.
    generation.deadline += now - last_look_;
  }
  next_look_ = now;
}

void Machine::ExpireStages(absl::Duration now) {
  // Fail may erase nothing here: what is late is still there.
  for (auto& [id, generation] : replicas_.generations()) {
    if (generation.stage == Stage::kDraining) {
      if (now < std::min(generation.check_at, generation.deadline)) continue;
      const bool idle = questions_.activity(id).under_way == 0;
      if (idle || now >= generation.deadline) End(generation);
      generation.check_at = now + kDrainLook;
    } else if (now >= generation.deadline) {
      Fail(now, generation,
           OfReplica(NotPreparedError(generation.stage == Stage::kChecking,
                                      options_.prepare_timeout),
                     generation.slot, id),
           /*unhealable=*/false, /*gone=*/false);
    }
  }
}

void Machine::AdvanceRollouts(absl::Duration now) {
  while (!stopping_ && start_ == 0 && !rollouts_.empty()) {
    if (!rollout_begun_) BeginRollout(now);
    const Rollout& rollout = rollouts_.front();
    const bool hopeless = rollout.in_place() && (asleep_ || breaker_.open() ||
                                                 !rollout.failure().ok());
    const Rollout::Step step = hopeless
                                   ? Rollout::Step{Rollout::Step::Kind::kDone}
                                   : rollout.Next(replicas_);
    switch (step.kind) {
      case Rollout::Step::Kind::kWait:
        return;
      case Rollout::Step::Kind::kBeside:
        return StartIn(now, step.slot, step.version, Role::kBeside,
                       /*probe=*/false);
      case Rollout::Step::Kind::kLeave:
        replicas_.slot(step.slot).start_at = now;
        return Leave(now, *replicas_.Find(step.slot, Role::kCurrent));
      case Rollout::Step::Kind::kDone:
        FinishRollout(now);
    }
  }
}

void Machine::BeginRollout(absl::Duration now) {
  Rollout& rollout = rollouts_.front();
  rollout_begun_ = true;
  rollout.Begin(version_, replicas_.next_id());
  if (!rollout.in_place()) return;
  // Somebody has seen to what was wrong.
  breaker_.Reset();
  TellBreaker(now, nullptr);
  for (int slot = 0; slot < replicas_.replicas(); ++slot) {
    replicas_.slot(slot).backoff.Reset();
    replicas_.slot(slot).start_at = now;
  }
}

void Machine::FinishRollout(absl::Duration now) {
  const Rollout rollout = std::move(rollouts_.front());
  rollouts_.pop_front();
  rollout_begun_ = false;
  absl::Status result = rollout.failure();
  if (rollout.in_place()) {
    if (breaker_.open()) result.Update(last_failure_);
  } else if (result.ok()) {
    version_ = rollout.to();
    breaker_.Reset();
    TellBreaker(now, nullptr);
    asleep_ = false;
  } else if (asleep_) {
    // What has gone back goes on sleeping.
    for (auto& [id, generation] : replicas_.generations()) {
      Leave(now, generation);
    }
  }
  Answer(rollout.request(), std::move(result));
}

bool Machine::MayFallAsleep() const {
  if (options_.idle_timeout == absl::InfiniteDuration()) return false;
  if (asleep_ || stopping_ || start_ != 0 || !rollouts_.empty()) return false;
  if (breaker_.open()) return false;
  return std::none_of(replicas_.generations().begin(),
                      replicas_.generations().end(),
                      [](const auto& entry) { return entry.second.coming(); });
}

void Machine::FallAsleep(absl::Duration now) {
  bool active = !MayFallAsleep();
  std::uint64_t heard = 0;
  for (auto& [id, generation] : replicas_.generations()) {
    const Activity activity = questions_.activity(id);
    active = active || activity.under_way > 0;
    heard += activity.heard;
  }
  if (active || heard != heard_) active_at_ = now;
  heard_ = heard;
  if (now - active_at_ < options_.idle_timeout) return;
  asleep_ = true;
  for (auto& [id, generation] : replicas_.generations()) Leave(now, generation);
}

void Machine::Rouse(absl::Duration now) {
  asleep_ = false;
  active_at_ = now;
}

void Machine::FillVacancies(absl::Duration now) {
  if (stopping_ || asleep_) return;
  const auto& generations = replicas_.generations();
  const bool probe_lives =
      std::any_of(generations.begin(), generations.end(),
                  [](const auto& entry) { return entry.second.probe; });
  if (breaker_.probing() && !probe_lives) {
    breaker_.Reopen(now);
    TellBreaker(now, nullptr);
  }
  if (breaker_.open()) {
    if (now < breaker_.probe_at()) return;
    for (int slot = 0; slot < replicas_.replicas(); ++slot) {
      if (!replicas_.IsVacant(slot)) continue;
      breaker_.BeginProbe();
      return StartIn(now, slot, version_, Role::kCurrent, /*probe=*/true);
    }
    // What is still ending has its turn afterwards.
    const bool all_up = state() == SupervisorState::kReady;
    if (all_up) breaker_.Close();
    TellBreaker(now, nullptr);
    return;
  }
  for (int slot = 0; slot < replicas_.replicas(); ++slot) {
    const bool due =
        replicas_.IsVacant(slot) && now >= replicas_.slot(slot).start_at;
    if (due) {
      StartIn(now, slot, version_, Role::kCurrent, /*probe=*/false);
    }
  }
}

void Machine::CheckHealth(absl::Duration now) {
  for (auto& [id, generation] : replicas_.generations()) {
    const bool asks =
        generation.stage == Stage::kChecking || generation.stage == Stage::kUp;
    if (!asks || generation.checking || now < generation.check_at) continue;
    generation.checking = true;
    generation.health.Begin(now);
    Decide(Decision::Kind::kCheck, generation);
  }
}

void Machine::AnswerStart() {
  if (start_ == 0 || stopping_) return;
  for (int slot = 0; slot < replicas_.replicas(); ++slot) {
    const Generation* current = replicas_.Find(slot, Role::kCurrent);
    if (current == nullptr || current->stage != Stage::kUp) return;
  }
  Answer(std::exchange(start_, 0), absl::OkStatus());
}

void Machine::BeginStopping() {
  if (std::exchange(stopping_, true)) return;
  if (start_failure_.ok()) start_failure_ = SupervisorShutDownError();
  for (const Rollout& rollout : rollouts_) {
    Answer(rollout.request(), SupervisorShutDownError());
  }
  rollouts_.clear();
  rollout_begun_ = false;
  for (auto& [id, generation] : replicas_.generations()) End(generation);
}

void Machine::FinishShutdown() {
  if (!stopping_ || !replicas_.empty()) return;
  Answer(std::exchange(start_, 0), start_failure_);
  for (const Request request : std::exchange(shutdowns_, {})) {
    Answer(request, shutdown_result_);
  }
}

absl::Duration Machine::NextLook(absl::Duration now) const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& [id, generation] : replicas_.generations()) {
    next = std::min(next, generation.deadline);
    const bool looks = generation.stage >= Stage::kChecking &&
                       generation.stage <= Stage::kDraining;
    if (looks && !generation.checking) {
      next = std::min(next, generation.check_at);
    }
  }
  for (int slot = 0; slot < replicas_.replicas(); ++slot) {
    next = std::min(next, StartAt(slot));
  }
  if (MayFallAsleep()) {
    next = std::min(next, now + options_.idle_timeout / kIdleLooks);
  }
  return std::max(next, now);
}

}  // namespace goplugin::internal
