#ifndef GOPLUGIN_INTERNAL_SUPERVISE_HAPPENING_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_HAPPENING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace goplugin::internal {

// What has happened, for whoever counts: what telemetry.h says of each.
struct Happening {
  enum class Kind {
    kFailure,         // `status`; started again in `wait`
    kRestart,         // `status` was the failure; `restarts` so far
    kBreakerOpen,     // after `status`; a probe in `wait`
    kBreakerProbing,  // `generation` is the probe
    kBreakerClosed,
    kServing,
    kNotServing,
  };

  Kind kind = Kind::kFailure;
  // Whose, or -1 and 0.
  int slot = -1;
  std::uint64_t generation = 0;
  absl::Status status;
  absl::Duration wait = absl::InfiniteDuration();
  int restarts = 0;
};

using Happenings = std::vector<Happening>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_HAPPENING_H_
