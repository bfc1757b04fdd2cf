#include "goplugin/internal/supervise/health_judge.h"

namespace goplugin::internal {

void HealthJudge::StartAnew(absl::Duration now, Activity activity) {
  missed_ = 0;
  heard_ = activity.heard;
  alive_at_ = now;
}

HealthJudge::Verdict HealthJudge::Judge(const HealthPolicy& policy,
                                        absl::Duration now, HealthAnswer answer,
                                        Activity activity) {
  const bool stood_still = now - asked_at_ > policy.timeout + Lateness(policy);
  const bool lives =
      answer != HealthAnswer::kNone || activity.heard != heard_ || stood_still;
  if (lives) StartAnew(now, activity);
  if (answer == HealthAnswer::kServing) return Verdict::kServing;
  if (answer == HealthAnswer::kNotServing) return Verdict::kNotServing;
  if (lives || ++missed_ < policy.failures) return Verdict::kUndecided;
  const bool may_be_busy =
      activity.under_way > 0 && now - alive_at_ < policy.busy_limit;
  return may_be_busy ? Verdict::kUndecided : Verdict::kHung;
}

}  // namespace goplugin::internal
