#ifndef GOPLUGIN_INTERNAL_FILES_TIME_LIMIT_H_
#define GOPLUGIN_INTERNAL_FILES_TIME_LIMIT_H_

#include <chrono>

#include "absl/time/time.h"

namespace goplugin::internal {

// From its construction on, by the steady clock: nobody who sets the other one
// makes a removal take hours, or give up at once. A value.
class TimeLimit {
 public:
  // Any duration: none is over at once, absl::InfiniteDuration() never.
  explicit TimeLimit(absl::Duration limit) : limit_(limit) {}

  bool Passed() const {
    return absl::FromChrono(std::chrono::steady_clock::now() - start_) >=
           limit_;
  }

 private:
  std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
  absl::Duration limit_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_TIME_LIMIT_H_
