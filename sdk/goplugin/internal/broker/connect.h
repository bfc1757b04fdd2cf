#ifndef GOPLUGIN_INTERNAL_BROKER_CONNECT_H_
#define GOPLUGIN_INTERNAL_BROKER_CONNECT_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/net/acceptors.h"
#include "goplugin/internal/net/reach.h"

namespace goplugin::internal {

// What to connect to, and how.
struct BrokerTarget {
  Endpoint endpoint;
  // Who has to be there.
  PeerRule peers = {};
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  // Complete: see MergeChannelArguments.
  grpc::ChannelArguments arguments;
  bool uses_tls = false;
  // Who is on the other side, for errors: "plugin" or "host".
  std::string peer;
  // Where a unix socket was found whose listener has to be somebody's: by
  // ConnectBrokered.
  std::shared_ptr<const Way> way = nullptr;
  // Whose the endpoint is, on a multiplexed connection. The channel keeps it.
  std::shared_ptr<Door> door = nullptr;
  // Not OK once the broker has ended: then nobody is waited for any more.
  std::function<absl::Status()> ended = nullptr;
  // See BrokerSetup.
  Acceptors::Run aside = nullptr;
  // When the dial began.
  Stopwatch since = {};
};

// A channel whose connection stands, after at most `timeout`. kConnect when
// nobody answers there, kTransport when somebody does who may not, kTls when
// the two sides disagree on that, with what a look at the endpoint saw. A look
// that does not come back (a dead file system) is not waited for any longer.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectBrokered(
    const BrokerTarget& target, absl::Duration timeout);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_CONNECT_H_
