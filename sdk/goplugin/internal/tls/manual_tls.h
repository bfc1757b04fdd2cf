#ifndef GOPLUGIN_INTERNAL_TLS_MANUAL_TLS_H_
#define GOPLUGIN_INTERNAL_TLS_MANUAL_TLS_H_

#include <string>

#include "absl/status/status.h"

namespace goplugin::internal {

// The caller's own TLS, in PEM.
struct ManualTls {
  // Whom to trust. Never empty: gRPC would then trust the system's roots.
  std::string root_certificates;
  // The certificate to present, followed by its intermediates. Both this and
  // the key are empty when the plugin asks for no client certificate.
  std::string certificate_chain;
  // Not encrypted. A secret: never quoted in an error.
  std::string private_key;
  // The name the plugin's certificate must carry. Empty: kServerName. Not part
  // of the credentials: it is a channel argument.
  std::string server_name;
};

// Refuses with kOptions: no roots, a PEM block that can't be read (gRPC would
// quietly drop it and what follows), a certificate without key or a key without
// certificate, an encrypted key, a key that belongs to another certificate.
// Pure: no I/O, no clock; expiry is left to the handshake.
absl::Status ValidateManualTls(const ManualTls& tls);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_MANUAL_TLS_H_
