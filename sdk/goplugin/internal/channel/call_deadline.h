#ifndef GOPLUGIN_INTERNAL_CHANNEL_CALL_DEADLINE_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CALL_DEADLINE_H_

#include <grpc/support/time.h>

#include <cstdint>

#include "absl/time/time.h"

namespace goplugin::internal {

// A call's deadline may be a time of day, and years away: more than fits into
// nanoseconds. What waits until then does not notice when the clock is set, as
// gRPC's own calls do not.
inline gpr_timespec MonotonicDeadline(gpr_timespec deadline) {
  return gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
}

inline absl::Duration TimeUntil(gpr_timespec monotonic_deadline) {
  if (monotonic_deadline.tv_sec == INT64_MAX) return absl::InfiniteDuration();
  if (monotonic_deadline.tv_sec == INT64_MIN) return -absl::InfiniteDuration();
  const gpr_timespec left =
      gpr_time_sub(monotonic_deadline, gpr_now(GPR_CLOCK_MONOTONIC));
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CALL_DEADLINE_H_
