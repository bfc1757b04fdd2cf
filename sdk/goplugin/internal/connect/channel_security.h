#ifndef GOPLUGIN_INTERNAL_CONNECT_CHANNEL_SECURITY_H_
#define GOPLUGIN_INTERNAL_CONNECT_CHANNEL_SECURITY_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/handshake.h"

namespace goplugin::internal {

// How one channel is secured.
struct ChannelSecurity {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  bool uses_tls = false;
  // The name to verify; empty without TLS.
  std::string server_name;
  // Whom it trusts and what it shows; nothing in credentials of the caller's.
  TlsClient tls_client = {};
  // The certificate that alone is trusted; nullopt without AutoMTLS.
  absl::optional<PeerCertificate> announced;
};

// Holds what the caller asked for against what the plugin announced.
// `key_pair` is the host's own, set in the modes with AutoMTLS. Errors:
// kServerCertificate, with a hint that names the mode that would work.
absl::StatusOr<ChannelSecurity> ChooseSecurity(
    const TlsOptions& tls, const absl::optional<KeyPair>& key_pair,
    const HandshakeResponse& response);

// Brokered connections, secured as `security` secures the main one.
BrokerSecurity SecureBrokeredAlike(const ChannelSecurity& security,
                                   const TlsOptions& tls,
                                   const absl::optional<KeyPair>& key_pair);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CONNECT_CHANNEL_SECURITY_H_
