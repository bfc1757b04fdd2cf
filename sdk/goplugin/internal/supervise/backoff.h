#ifndef GOPLUGIN_INTERNAL_SUPERVISE_BACKOFF_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_BACKOFF_H_

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {

// How long one replica waits before it is started again. Pure.
class Backoff {
 public:
  // The wait after one more failure. `random` is from 0 to 1.
  absl::Duration Next(const RestartPolicy& policy, double random);
  void Reset() { next_ = absl::ZeroDuration(); }

 private:
  absl::Duration next_ = absl::ZeroDuration();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_BACKOFF_H_
