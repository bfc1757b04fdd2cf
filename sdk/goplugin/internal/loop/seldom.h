#ifndef GOPLUGIN_INTERNAL_LOOP_SELDOM_H_
#define GOPLUGIN_INTERNAL_LOOP_SELDOM_H_

#include <atomic>
#include <cstdint>

#include "absl/numeric/bits.h"

namespace goplugin::internal {

// Which of many events of one kind are told: the first, the second, the fourth,
// the eighth and so on. For what a peer can cause as often as it likes: its
// flood must not become one of log lines. Thread-safe.
//
//   if (unasked_.Tell()) warn(absl::StrCat("... ", unasked_.count(), " so
//   far"));
class Seldom {
 public:
  // Counts one more event; whether it is one of those to be told.
  bool Tell() { return absl::has_single_bit(++count_); }
  std::uint64_t count() const { return count_; }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_SELDOM_H_
