#ifndef GOPLUGIN_INTERNAL_PROCESS_SPAWNERS_H_
#define GOPLUGIN_INTERNAL_PROCESS_SPAWNERS_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/spawn_ticket.h"

namespace goplugin::internal {

// The threads that clone. They do nothing else, since a child gets its death
// signal when the *thread* that made it ends: each lives as long as this
// object. The first is started at the first spawn. Where all stand still in an
// exec (a virus scanner, a dead file system) and nothing has moved for 50 ms,
// others join them, one each 10 ms until something moves, up to kMaxThreads;
// from then on what is asked for waits, until its caller gives it up.
//
// Thread-safe, but for Stop.
class Spawners {
 public:
  static constexpr size_t kMaxThreads = 64;

  Spawners();
  // Stops, if that was not done, and waits for 1 s at most.
  ~Spawners();
  Spawners(const Spawners&) = delete;
  Spawners& operator=(const Spawners&) = delete;

  // Clones `prepared` as soon as a thread is free. `done` is called once, on a
  // spawner, and must only post; not at all once the ticket was abandoned or
  // this object stopped. A program that is open for writing somewhere (ETXTBSY)
  // is tried again for 100 ms, without holding a thread up. Does not block.
  //
  // Errors: kResources when the first thread can't be had; `done` is not
  // called. For want of a further one, requests wait.
  absl::StatusOr<std::shared_ptr<SpawnTicket>> Spawn(
      std::shared_ptr<PreparedSpawn> prepared, SpawnTicket::Done done);

  // Abandons what was asked for, and ends the threads, and thereby the children
  // that have a death signal. A thread that does not come back in time is let
  // go: it owns what it touches, and ends by itself. Returns how many those
  // were. Spawn must not be called any more.
  size_t Stop(absl::Duration patience);

 private:
  class Crew;
  // Shared with the threads, which may outlive this object.
  const std::shared_ptr<Crew> crew_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SPAWNERS_H_
