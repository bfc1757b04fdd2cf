#include "goplugin/internal/supervise/backoff.h"

#include <algorithm>

namespace goplugin::internal {

absl::Duration Backoff::Next(const RestartPolicy& policy, double random) {
  const absl::Duration wait = next_;
  next_ = wait == absl::ZeroDuration() ? policy.initial
                                       : std::min(2 * wait, policy.max);
  return wait * (1 + policy.jitter * (2 * random - 1));
}

}  // namespace goplugin::internal
