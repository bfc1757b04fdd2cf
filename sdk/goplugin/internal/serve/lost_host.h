#ifndef GOPLUGIN_INTERNAL_SERVE_LOST_HOST_H_
#define GOPLUGIN_INTERNAL_SERVE_LOST_HOST_H_

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

// What speaks for a host that is there, in the order in which it is asked.
enum class HostSign {
  // Somebody has the other end of stdout or stderr.
  kReader,
  // The process that started this one lives.
  kStarter,
  // Somebody is connected.
  kConnection,
};

// Decides whether a plugin's host is gone. Each sign can lie: hosts close the
// pipes and live on, a shell is in between, a sibling has inherited the pipe's
// other end, a host comes later and connects. So a host is there while there is
// any sign of it, and gone when there has been none for kQuiet.
//
// No clock and no descriptors: both come in. Not thread-safe.
class LostHost {
 public:
  // A host that reattaches may be a moment late, and so may the kernel.
  static constexpr absl::Duration kQuiet = absl::Seconds(2);

  struct Verdict {
    bool gone = false;
    // When to look again at the latest. InfiniteDuration: when the sign has
    // changed.
    absl::Duration look_again = absl::InfiniteDuration();
  };

  // The first sign seen at `now`, of any clock that does not go back; nullopt
  // for none.
  Verdict See(absl::optional<HostSign> sign, absl::Duration now);

 private:
  // The last look, if it has found none.
  absl::optional<absl::Duration> last_look_;
  // Of the time without a sign, what was looked at: a process that was stopped,
  // or whose machine slept, has seen no more of it than of any other moment.
  absl::Duration quiet_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_LOST_HOST_H_
