#ifndef GOPLUGIN_INTERNAL_SERVE_PORT_RANGE_H_
#define GOPLUGIN_INTERNAL_SERVE_PORT_RANGE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Calls `bind` with the ports from `min_port` to `max_port` until one is taken,
// and returns what it gave: the port taken, 0 for "in use, go on", an error for
// "no other port will help". kTransport names the range when none could be had.
absl::StatusOr<int> WalkPorts(
    int min_port, int max_port,
    absl::FunctionRef<absl::StatusOr<int>(int port)> bind);

// A stream socket bound to `port` of 127.0.0.1 as gRPC binds: a port whose last
// connections are in TIME_WAIT will do. Invalid when it can't be had.
UniqueFd BindPort(int port);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PORT_RANGE_H_
