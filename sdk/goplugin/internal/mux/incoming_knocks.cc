#include "goplugin/internal/mux/incoming_knocks.h"

#include <algorithm>

namespace goplugin::internal {

bool IncomingKnocks::Serve(ServiceId id) {
  served_.insert(id);
  if (waiting_.erase(id) == 0) return false;
  promised_.push_back(id);
  return true;
}

void IncomingKnocks::Withdraw(ServiceId id) { served_.erase(id); }

IncomingKnocks::Verdict IncomingKnocks::OnKnock(ServiceId id,
                                                absl::Duration now) {
  if (promised_.size() >= kMaxPromised) return Verdict::kRefuse;
  if (serves(id)) {
    promised_.push_back(id);
    return Verdict::kAck;
  }
  // One at a time: a second knock means that nobody waits for the first.
  const bool again = waiting_.count(id) > 0;
  if (again || waiting_.size() >= kMaxWaiting) return Verdict::kRefuse;
  waiting_.emplace(id, now + kPatience);
  return Verdict::kWait;
}

std::vector<IncomingKnocks::ServiceId> IncomingKnocks::TakeExpired(
    absl::Duration now) {
  std::vector<ServiceId> expired;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (next->second > now) {
      ++next;
      continue;
    }
    expired.push_back(next->first);
    next = waiting_.erase(next);
  }
  return expired;
}

absl::Duration IncomingKnocks::NextDeadline() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& waiting : waiting_) next = std::min(next, waiting.second);
  return next;
}

absl::optional<IncomingKnocks::ServiceId> IncomingKnocks::TakePromised() {
  if (promised_.empty()) return absl::nullopt;
  const ServiceId id = promised_.front();
  promised_.pop_front();
  return id;
}

}  // namespace goplugin::internal
