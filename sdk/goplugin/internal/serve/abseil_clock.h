#ifndef GOPLUGIN_INTERNAL_SERVE_ABSEIL_CLOCK_H_
#define GOPLUGIN_INTERNAL_SERVE_ABSEIL_CLOCK_H_

#include "absl/synchronization/notification.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {

// Has Abseil measure the processor's frequency beside the start of a plugin.
//
// Abseil does that once in a process, when for the first time a thread queues
// for a mutex behind another: it sleeps for 3 ms, or twice or four times as
// long on a busy machine, and nobody gets that mutex meanwhile. In a plugin it
// would be one of gRPC's, under the first calls that come together or at the
// end.
class AbseilClock {
 public:
  // Begins, on two threads. Does nothing where they can't be had.
  AbseilClock();
  // Waits until the frequency is known, if it is being measured.
  ~AbseilClock();
  AbseilClock(const AbseilClock&) = delete;
  AbseilClock& operator=(const AbseilClock&) = delete;

 private:
  // What the one waits for, and the other behind it.
  absl::Notification over_;
  SdkThread first_;
  SdkThread second_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_ABSEIL_CLOCK_H_
