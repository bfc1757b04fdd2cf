#include <utility>

#include "goplugin/internal/supervise/machine.h"

// What has happened, for whoever counts.

namespace goplugin::internal {

Happenings Machine::TakeHappenings() { return std::exchange(happenings_, {}); }

Happening& Machine::Tell(Happening::Kind kind, const Generation* whose) {
  Happening happening;
  happening.kind = kind;
  if (whose != nullptr) {
    happening.slot = whose->slot;
    happening.generation = whose->id;
  }
  happenings_.push_back(std::move(happening));
  return happenings_.back();
}

void Machine::TellFailure(absl::Duration now, const Generation& failed,
                          const absl::Status& why) {
  Happening& happening = Tell(Happening::Kind::kFailure, &failed);
  happening.status = why;
  // A failed Start ends what it began.
  if (start_ != 0) return;
  happening.wait = (breaker_.open() ? breaker_.probe_at()
                                    : replicas_.slot(failed.slot).start_at) -
                   now;
}

void Machine::TellRestart(const Generation& started) {
  const Slot& place = replicas_.slot(started.slot);
  Happening& happening = Tell(Happening::Kind::kRestart, &started);
  happening.status = place.last_failure;
  happening.restarts = place.restarts;
}

void Machine::TellHealth(const Generation& generation, bool serving) {
  Tell(serving ? Happening::Kind::kServing : Happening::Kind::kNotServing,
       &generation);
}

void Machine::TellBreaker(absl::Duration now, const Generation* whose) {
  const Breaker::State state = breaker_.state();
  if (std::exchange(told_breaker_, state) == state) return;
  if (state == Breaker::State::kOpen) {
    Happening& happening = Tell(Happening::Kind::kBreakerOpen, whose);
    happening.status = last_failure_;
    happening.wait = breaker_.probe_at() - now;
  } else {
    Tell(state == Breaker::State::kProbing ? Happening::Kind::kBreakerProbing
                                           : Happening::Kind::kBreakerClosed,
         whose);
  }
}

}  // namespace goplugin::internal
