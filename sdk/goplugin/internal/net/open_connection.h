#ifndef GOPLUGIN_INTERNAL_NET_OPEN_CONNECTION_H_
#define GOPLUGIN_INTERNAL_NET_OPEN_CONNECTION_H_

#include <poll.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

using SteadyTime = std::chrono::steady_clock::time_point;

// Waits until `events` or the deadline. False: the deadline passed.
bool WaitForEvents(int descriptor, decltype(pollfd::events) events,
                   SteadyTime deadline);

// A connection to `endpoint` that does not block, at the first of its addresses
// where somebody listens. Names other than "localhost" are not resolved,
// because that can't be bounded.
//
// Errors: those of ConnectError, with the system's words (refused: nobody
// listens there; no such file: the socket is gone). Blocks until the deadline
// at most.
absl::StatusOr<UniqueFd> OpenConnection(const Endpoint& endpoint,
                                        SteadyTime deadline);

// The error of an attempt to connect that ended in `error_number`: kConnect, or
// kTransport where this user may not, which waiting does not mend.
absl::Status ConnectError(const Endpoint& endpoint, int error_number);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_OPEN_CONNECTION_H_
