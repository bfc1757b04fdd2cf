#ifndef GOPLUGIN_INTERNAL_TLS_CREDENTIALS_H_
#define GOPLUGIN_INTERNAL_TLS_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/manual_tls.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

// gRPC credentials from certificates. All that depends on gRPC's version or on
// its TLS library is decided in credentials.cc.
//
// With AutoMTLS each channel and each server wants credentials of its own: they
// are cheap. When the last of those that share a gRPC certificate provider ends
// while the next begins, the next is told that there are no certificates, and
// never connects (seen with gRPC 1.51, one time in 4,000).
//
// Thread safety: all functions may be called from any thread.

namespace goplugin::internal {

// Trusts `peer` and nothing else, and presents `ours`. The channel must verify
// the name kServerName (GRPC_SSL_TARGET_NAME_OVERRIDE_ARG).
//
// Fails only where gRPC is linked with BoringSSL and too old to limit the TLS
// version, and `peer` has a P-521 key, as Go plugins do: kServerCertificate,
// the hint names the build flag.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeAutoMtlsChannelCredentials(const KeyPair& ours,
                               const PeerCertificate& peer);

// Fails as ValidateManualTls does. `tls.server_name` is not used here: it is a
// channel argument.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>
MakeManualChannelCredentials(const ManualTls& tls);

// Serves with `ours`, and demands a client certificate, which must be `client`
// (or be issued by it). The client's name is not checked, as a Go plugin does
// not.
//
// Fails for P-521 as MakeAutoMtlsChannelCredentials does.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>>
MakeAutoMtlsServerCredentials(const KeyPair& ours,
                              const PeerCertificate& client);

// Serves with the caller's own certificate, and demands a client certificate
// that leads to its roots. kOptions without a certificate to serve with, and as
// ValidateManualTls.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>>
MakeManualServerCredentials(const ManualTls& tls);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_CREDENTIALS_H_
