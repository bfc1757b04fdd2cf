#ifndef GOPLUGIN_INTERNAL_CONNECT_APPROACH_H_
#define GOPLUGIN_INTERNAL_CONNECT_APPROACH_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/net/reach.h"

namespace goplugin::internal {

// What is looked at before a host connects to where a plugin's line points. A
// value.
struct ApproachRequest {
  Endpoint endpoint;
  // Who has to be there.
  PeerRule peers = {};
  // The plugin multiplexes: it takes one connection, which MuxLink makes, and
  // gRPC comes by its streams.
  bool multiplexed = false;
  MakeDoorSocket make_door = nullptr;
};

// What came of it.
struct PluginApproach {
  std::shared_ptr<const Way> way;
  // Multiplexed only: where the connection is read when gRPC takes its streams
  // as they are, or a socket.
  std::unique_ptr<IoPlace> place = nullptr;
  DoorSocket door = {};
};

// Blocks as the file system does: for a thread of the pool. Errors: FindWay's,
// kTransport for a path where no socket is or a door that can't be made. After
// one of MayStillCome it is worth trying again, for a while.
absl::StatusOr<PluginApproach> FindApproach(const ApproachRequest& request);

// The error of a plugin whose socket did not come, `last` the last attempt's.
absl::Status NobodyThere(const Endpoint& endpoint, const absl::Status& last,
                         absl::Duration tried);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CONNECT_APPROACH_H_
