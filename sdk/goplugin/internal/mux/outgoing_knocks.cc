#include "goplugin/internal/mux/outgoing_knocks.h"

#include <algorithm>

namespace goplugin::internal {

void OutgoingKnocks::Add(Request request, absl::optional<ServiceId> id) {
  line_.push_back({request, id});
}

absl::optional<OutgoingKnocks::Step> OutgoingKnocks::Next() {
  if (knocked_.has_value() || line_.empty()) return absl::nullopt;
  const Step step = {line_.front().request, line_.front().id};
  line_.pop_front();
  if (step.knock.has_value()) {
    knocked_ = step;
    crossed_ = false;
  }
  return step;
}

OutgoingKnocks::Verdict OutgoingKnocks::OnAck(ServiceId id) {
  if (knocked_.has_value() && knocked_->knock == id) {
    // Should it be the late answer to an earlier knock at this id, then the
    // answer to this one will be one too many, and is remembered as such.
    finished_ = knocked_->request;
    knocked_.reset();
    if (!crossed_) return Verdict::kOpen;
    line_.push_front({finished_, id});
    return Verdict::kThrowAway;
  }
  if (!TakeGivenUp(id)) return Verdict::kUnexpected;
  crossed_ = true;
  return Verdict::kThrowAway;
}

absl::optional<OutgoingKnocks::Request> OutgoingKnocks::OnRefusal(
    ServiceId id) {
  if (!knocked_.has_value() || knocked_->knock != id) {
    TakeGivenUp(id);
    return absl::nullopt;
  }
  const Request request = knocked_->request;
  knocked_.reset();
  return request;
}

void OutgoingKnocks::Abandon(Request request) {
  if (knocked_.has_value() && knocked_->request == request) {
    GiveUp(*knocked_->knock);
    knocked_.reset();
    return;
  }
  line_.erase(std::remove_if(line_.begin(), line_.end(),
                             [request](const Wanted& wanted) {
                               return wanted.request == request;
                             }),
              line_.end());
}

void OutgoingKnocks::GiveUp(ServiceId id) {
  ++given_up_[id];
  if (given_up_.size() > kMaxGivenUp) given_up_.erase(given_up_.begin());
}

bool OutgoingKnocks::TakeGivenUp(ServiceId id) {
  const auto found = given_up_.find(id);
  if (found == given_up_.end()) return false;
  if (--found->second == 0) given_up_.erase(found);
  return true;
}

}  // namespace goplugin::internal
