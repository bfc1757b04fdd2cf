#ifndef GOPLUGIN_INTERNAL_PROCESS_HELD_PROCESS_H_
#define GOPLUGIN_INTERNAL_PROCESS_HELD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// When process `pid` started, in clock ticks since boot: field 22 of
// /proc/PID/stat. nullopt when there is no such process, or it has ended and
// was not waited for, or /proc does not tell.
absl::optional<uint64_t> ProcessStartTime(pid_t pid);

// A process that somebody else started, held by its descriptor: whatever comes
// to have its number later is not reached by it.
struct HeldProcess {
  pid_t pid = -1;
  UniqueFd pidfd = {};
  uint64_t start_time = 0;
};

// The process that is said to serve at an endpoint. A value.
struct ServerClaim {
  Endpoint endpoint;
  // Where a unix socket is connected to; "" for the endpoint's own path.
  std::string way = {};
  // 0: not known.
  pid_t pid = 0;
  // 0: not known.
  uint64_t start_time = 0;
};

// What came of a claim that was not refuted.
struct ServerProof {
  // The server's process; nullopt when nothing proves which it is.
  absl::optional<HeldProcess> process = absl::nullopt;
  // Why there is none, "" when there is.
  std::string doubt = {};
};

// Finds the process that serves at an endpoint of this machine, and holds it,
// if it is the claimed one. The kernel is asked: for a unix socket it knows who
// listens. For tcp a claimed start time, or else the descriptors in /proc, as
// far as this user may read them. A number alone proves nothing.
//
// Errors: kReattachNotFound when nobody serves there, the process is gone, or
// either is somebody else; kTransport when a file that is no socket is at the
// path; kConnect when the socket can't be asked. Blocks for no noticeable time.
// Thread-safe.
absl::StatusOr<ServerProof> ProveServer(const ServerClaim& claim);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_HELD_PROCESS_H_
