#include "goplugin/internal/supervise/machine.h"
#include "goplugin/internal/supervise/supervise_error.h"

// A generation's way, step by step.

namespace goplugin::internal {

void Machine::StartIn(absl::Duration now, int slot, int version, Role role,
                      bool probe) {
  Generation& started = replicas_.Add(slot, version, role);
  started.probe = probe;
  started.health.StartAnew(now, {});
  Slot& place = replicas_.slot(slot);
  if (role == Role::kCurrent && place.failed) {
    place.failed = false;
    ++place.restarts;
    TellRestart(started);
  }
  if (probe) TellBreaker(now, &started);
  Decide(Decision::Kind::kStart, started);
}

void Machine::OnReady(absl::Duration now, Generation& generation) {
  if (options_.health.interval == absl::InfiniteDuration()) {
    return BecomeUp(now, generation, /*serving=*/true);
  }
  generation.stage = Stage::kChecking;
  generation.check_at = now;
}

void Machine::BecomeUp(absl::Duration now, Generation& generation,
                       bool serving) {
  generation.stage = Stage::kUp;
  generation.deadline = absl::InfiniteDuration();
  generation.up_since = now;
  generation.check_at = now + options_.health.interval;
  generation.health.StartAnew(now, questions_.activity(generation.id));
  ever_up_ = true;
  active_at_ = now;
  TellHealth(generation, serving);
  if (serving) Use(generation);
  if (generation.role == Role::kBeside) TakeOver(now, generation);
  if (generation.probe) breaker_.Close();
  generation.probe = false;
  TellBreaker(now, &generation);
}

void Machine::TakeOver(absl::Duration now, Generation& generation) {
  Generation* const old = replicas_.Find(generation.slot, Role::kCurrent);
  if (old != nullptr) Leave(now, *old);
  generation.role = Role::kCurrent;
  Slot& place = replicas_.slot(generation.slot);
  place.backoff.Reset();
  place.failed = false;
}

void Machine::Use(Generation& generation) {
  if (generation.used) return;
  generation.used = true;
  Decide(Decision::Kind::kUse, generation);
}

void Machine::Withdraw(Generation& generation) {
  if (!generation.used) return;
  generation.used = false;
  Decide(Decision::Kind::kWithdraw, generation);
}

void Machine::Leave(absl::Duration now, Generation& generation) {
  generation.role = Role::kLeaving;
  if (generation.coming()) return End(generation);
  if (generation.stage != Stage::kUp) return;
  Withdraw(generation);
  generation.stage = Stage::kDraining;
  generation.checking = false;
  generation.check_at = now + kDrainLook;
  generation.deadline = now + options_.drain_timeout;
}

void Machine::End(Generation& generation) {
  if (generation.stage == Stage::kEnding) return;
  Withdraw(generation);
  generation.stage = Stage::kEnding;
  generation.probe = false;
  generation.deadline = absl::InfiniteDuration();
  Decide(Decision::Kind::kEnd, generation);
}

void Machine::Fail(absl::Duration now, Generation& generation,
                   const absl::Status& why, bool unhealable, bool gone) {
  const bool unasked = generation.stage != Stage::kEnding &&
                       generation.role != Role::kLeaving && !stopping_;
  const Generation failed = generation;
  Withdraw(generation);
  if (gone) {
    replicas_.Erase(failed.id);
  } else {
    End(generation);
    // It is no replica to be any more.
    if (failed.role == Role::kBeside) generation.role = Role::kLeaving;
  }
  if (!unasked) return;
  if (rollout_begun_) rollouts_.front().OnFailure(failed, why);
  if (failed.role == Role::kCurrent) CountFailure(now, failed, why, unhealable);
}

void Machine::CountFailure(absl::Duration now, const Generation& failed,
                           const absl::Status& why, bool unhealable) {
  last_failure_ = why;
  ++failures_;
  Slot& place = replicas_.slot(failed.slot);
  place.last_failure = why;
  place.failed = true;
  const bool was_up = failed.stage == Stage::kUp;
  if (was_up && now - failed.up_since >= options_.restart.steady) {
    place.backoff.Reset();
  }
  place.start_at =
      now + place.backoff.Next(options_.restart, questions_.random());
  breaker_.OnFailure(now, unhealable, failed.probe);
  TellFailure(now, failed, why);
  TellBreaker(now, &failed);
  if (start_ == 0) return;
  // The first start leaves nothing.
  start_failure_ = why;
  BeginStopping();
}

}  // namespace goplugin::internal
