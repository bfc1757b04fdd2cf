#ifndef GOPLUGIN_INTERNAL_LOOP_DEADLINE_H_
#define GOPLUGIN_INTERNAL_LOOP_DEADLINE_H_

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace goplugin::internal {

// The end of a wait, as gRPC takes it. What a caller gives may be any duration:
// InfiniteDuration is no deadline, and so is what the clock can't count; what
// is negative has passed, by so much that gRPC, which counts milliseconds, does
// not even begin. (It takes moments before 1970 for never, and adding to the
// clock by hand overflows.)
inline std::chrono::system_clock::time_point DeadlineAfter(
    absl::Duration wait) {
  const bool passed = wait < absl::ZeroDuration();
  return absl::ToChronoTime(absl::Now() + (passed ? -absl::Seconds(1) : wait));
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_DEADLINE_H_
