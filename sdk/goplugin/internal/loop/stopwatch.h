#ifndef GOPLUGIN_INTERNAL_LOOP_STOPWATCH_H_
#define GOPLUGIN_INTERNAL_LOOP_STOPWATCH_H_

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/time/time.h"

namespace goplugin::internal {

// Time since its construction, by the monotonic clock: a change of the system's
// clock moves no deadline.
class Stopwatch {
 public:
  absl::Duration Elapsed() const {
    return absl::FromChrono(std::chrono::steady_clock::now() - start_);
  }
  // What is left of `total`, never negative.
  absl::Duration Remaining(absl::Duration total) const {
    return std::max(absl::ZeroDuration(), total - Elapsed());
  }

 private:
  std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

// A time that was waited, for a message: "1.234s". Not finer than a
// millisecond.
inline std::string InMilliseconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_STOPWATCH_H_
