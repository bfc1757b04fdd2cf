#ifndef GOPLUGIN_INTERNAL_FILES_SWEEP_H_
#define GOPLUGIN_INTERNAL_FILES_SWEEP_H_

#include "absl/time/time.h"
#include "goplugin/internal/files/places.h"
#include "goplugin/internal/files/time_limit.h"

namespace goplugin::internal {

// The most that one sweep looks at, in each place. More are the next one's.
constexpr int kMaxSwept = 256;
// The most that it takes.
constexpr absl::Duration kSweepTime = absl::Seconds(1);
// Between two of one place, in one process.
constexpr absl::Duration kSweepPause = absl::Seconds(1);

struct SweepResult {
  int removed = 0;
  // The time was over, or there were too many.
  bool has_more = false;
};

// Removes the outer directories that dead hosts left in the places where the
// next one would be made. Of this user's only, and only if
// - nobody holds its lock: its host is gone,
// - no mark in it says that its plugin outlives its host, or that one has
// ended,
// - every socket in it refuses connections.
// In doubt it stays, and so does one of another layout. One that its maker had
// not yet locked goes if it is empty; a maker that lives makes another.
//
// Two sweeps, and a sweep and a maker, don't get into each other's way: each
// has to have the lock, and then sees whether the name is still there.
//
// Blocks, within the limit: for a thread that has the time. Thread-safe.
SweepResult SweepDead(const PlaceRequest& request, const TimeLimit& limit);

// The same, but for places that this process has swept within kSweepPause: a
// host that launches in a loop does not read /tmp each time. Thread-safe.
void SweepDeadInTurn(const PlaceRequest& request, const TimeLimit& limit);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_SWEEP_H_
