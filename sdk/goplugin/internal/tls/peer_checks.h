#ifndef GOPLUGIN_INTERNAL_TLS_PEER_CHECKS_H_
#define GOPLUGIN_INTERNAL_TLS_PEER_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"

// The parts of ParsePeerCertificate. Each fills in what it has read and refuses
// with kServerCertificate.

namespace goplugin::internal {

// What a plugin's author can do about most of these errors.
inline constexpr char kBringGoodCertificate[] =
    "let the plugin's go-plugin library make its certificate (AutoMTLS), or "
    "bring a self-signed one with an ECDSA P-256 key and the DNS name "
    "\"localhost\"";

absl::Status RefuseCertificate(std::string what,
                               std::vector<std::string> evidence,
                               std::string hint);

// Sets key_description and is_p521.
absl::Status CheckKey(X509* certificate, int min_rsa_bits,
                      PeerCertificate* peer);

bool IsP521(X509* certificate);

// A weak digest matters only in a certificate that somebody else issued; the
// signature a certificate puts on itself proves nothing, and is not checked.
absl::Status CheckSignature(X509* certificate);

// Sets dns_names.
absl::Status CheckName(X509* certificate, PeerCertificate* peer);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_PEER_CHECKS_H_
