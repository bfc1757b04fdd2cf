#ifndef GOPLUGIN_INTERNAL_CONNECT_OPEN_CHANNEL_H_
#define GOPLUGIN_INTERNAL_CONNECT_OPEN_CHANNEL_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/connect/connector.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/net/reach.h"
#include "goplugin/internal/rpc/call_bell.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// How a channel comes to a plugin, other than by what the line says; it keeps
// what it comes by. At most one.
struct WayIn {
  // Where its socket was found.
  std::shared_ptr<const Way> way = nullptr;
  // On a multiplexed connection.
  std::shared_ptr<Door> door = nullptr;
};

// The channel to where the response points, secured as the options want it, not
// yet connected. `bell`: what its calls ring, unless it is null. Errors: those
// of ChooseSecurity.
absl::StatusOr<ConnectTarget> OpenPluginChannel(
    const ClientOptions& options, const absl::optional<KeyPair>& key_pair,
    const HandshakeResponse& response, const WayIn& way_in,
    const std::shared_ptr<CallBell>& bell);

// The channel to a target of gRPC's own, `uri`. `credentials`, when not null,
// win over the options' TLS, which must be kInsecure or kManual otherwise.
// Errors: kOptions for a target that gRPC can't use.
absl::StatusOr<ConnectTarget> OpenTargetChannel(
    const ClientOptions& options, const std::string& uri,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const std::shared_ptr<CallBell>& bell);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CONNECT_OPEN_CHANNEL_H_
