#ifndef GOPLUGIN_INTERNAL_TLS_CERTIFICATE_H_
#define GOPLUGIN_INTERNAL_TLS_CERTIFICATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Certificates as AutoMTLS uses them. Written in the API that OpenSSL and
// BoringSSL share, because gRPC may be linked with either.
//
// Thread safety: all functions may be called from any thread. They leave the
// calling thread's OpenSSL error queue empty.

namespace goplugin::internal {

// The name in every AutoMTLS certificate, and the one that is verified, on
// every transport: set it as GRPC_SSL_TARGET_NAME_OVERRIDE_ARG.
inline constexpr char kServerName[] = "localhost";

// A certificate with the key that belongs to it.
struct KeyPair {
  std::string certificate_pem;
  // PKCS #8, not encrypted. A secret: never logged, never quoted in an error.
  std::string private_key_pem;
  // What goes into the handshake line (field 6, in base64).
  std::string certificate_der;
};

// Makes the certificate of one launch: self-signed, ECDSA P-256, CA:FALSE, name
// "localhost", for servers and clients, valid at any time (from 1970 to 9999).
//
// P-256 and CA:FALSE because rustls refuses a CA as end entity, and BoringSSL
// and Python's TLS refuse Go's own P-521. Fails (kTls) only when the TLS
// library has no randomness or memory.
absl::StatusOr<KeyPair> GenerateOneTimeCertificate();

// OpenSSL's security level 2, which Debian sets: 112 bits.
inline constexpr int kMinRsaBits = 2048;

// The one certificate that is trusted.
struct PeerCertificate {
  std::string pem;
  // "ECDSA P-521", "RSA 2048", "Ed25519".
  std::string key_description;
  bool is_p521 = false;
  // Until when the TLS library's own verification takes it; InfinitePast: it
  // does not.
  absl::Time library_trusts_until = absl::InfinitePast();
  // The DNS names of the subject alternative name extension. Bytes that are
  // not printable ASCII are escaped.
  std::vector<std::string> dns_names;
  absl::Time not_before;
  absl::Time not_after;
};

// Reads `der`, and refuses with kServerCertificate, evidence and hint what the
// TLS handshake would refuse later with less to say: bytes that are no
// certificate, trailing bytes, a key or signature that is too weak or of a kind
// TLS 1.3 can't use, a purpose other than serving, a name other than
// "localhost". RSA keys must have `min_rsa_bits`.
//
// Does not ask for its validity: see CheckTrusted.
//
// Does not ask for a CA, keyCertSign or clientAuth: the certificate is trusted
// because it was announced, and plugins exist without any of the three.
absl::StatusOr<PeerCertificate> ParsePeerCertificate(
    absl::string_view der, int min_rsa_bits = kMinRsaBits);

// What a host gave its plugin in PLUGIN_CLIENT_CERT; `key_description` and the
// names are not set. kOptions when it holds none, too many, or one that can't
// be read (gRPC would fail later, without a reason).
absl::StatusOr<PeerCertificate> ReadHostCertificate(const std::string& pem);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_CERTIFICATE_H_
