#ifndef GOPLUGIN_INTERNAL_SUPERVISE_HEALTH_JUDGE_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_HEALTH_JUDGE_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {

// What a plugin's health service says when it is asked.
enum class HealthAnswer {
  kServing,     // also of a plugin without that service
  kNotServing,  // it lives, and wants no calls
  kNone,        // no answer in time, or no connection
};

// What the calls of a replica tell.
struct Activity {
  int under_way = 0;
  // Grows with each message that comes and each call that ends.
  std::uint64_t heard = 0;
};

// Tells a replica that hangs from one that is busy, and from a host that stood
// still itself. Pure.
class HealthJudge {
 public:
  enum class Verdict { kServing, kNotServing, kUndecided, kHung };

  // It lives, as far as is known.
  void StartAnew(absl::Duration now, Activity activity);
  // It is asked.
  void Begin(absl::Duration now) { asked_at_ = now; }
  // The answer to that.
  Verdict Judge(const HealthPolicy& policy, absl::Duration now,
                HealthAnswer answer, Activity activity);

  absl::Duration asked_at() const { return asked_at_; }
  int missed() const { return missed_; }
  // When it was last heard of.
  absl::Duration alive_at() const { return alive_at_; }

  // How much later than planned the host may do what it planned before it must
  // have stood still: suspended, stopped, or without a processor.
  // A fraction of a second is nothing special on a busy machine.
  static absl::Duration Lateness(const HealthPolicy& policy) {
    return std::max(policy.timeout / 2, absl::Milliseconds(100));
  }

 private:
  int missed_ = 0;
  std::uint64_t heard_ = 0;
  absl::Duration asked_at_ = absl::ZeroDuration();
  absl::Duration alive_at_ = absl::ZeroDuration();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_HEALTH_JUDGE_H_
