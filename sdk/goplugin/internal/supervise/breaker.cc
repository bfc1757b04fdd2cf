#include "goplugin/internal/supervise/breaker.h"

#include <algorithm>
#include <cstddef>

namespace goplugin::internal {

void Breaker::OnFailure(absl::Duration now, bool unhealable, bool probe) {
  failures_.push_back(now);
  if (failures_.size() > static_cast<size_t>(policy_.intensity) + 1) {
    failures_.pop_front();
  }
  while (now - failures_.front() >= policy_.period) failures_.pop_front();
  const bool too_many =
      failures_.size() > static_cast<size_t>(policy_.intensity);
  const bool opens = state_ == State::kClosed && (too_many || unhealable);
  if (opens || (state_ == State::kProbing && probe)) Reopen(now);
}

absl::Duration Breaker::probe_at() const {
  if (state_ != State::kOpen) return absl::InfiniteDuration();
  absl::Duration at = opened_at_ + policy_.cool_down;
  if (failures_.size() > static_cast<size_t>(policy_.intensity)) {
    at = std::max(at, failures_.front() + policy_.period);
  }
  return at;
}

void Breaker::Reopen(absl::Duration now) {
  state_ = State::kOpen;
  opened_at_ = now;
}

void Breaker::Reset() {
  state_ = State::kClosed;
  failures_.clear();
}

}  // namespace goplugin::internal
