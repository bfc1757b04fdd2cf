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
// "localhost", for servers and clients, valid from 30 s ago for 30 years.
//
// P-256 and CA:FALSE because rustls refuses a CA as end entity, and BoringSSL
// and Python's TLS refuse Go's own P-521. Fails (kTls) only when the TLS
// library has no randomness or memory.
absl::StatusOr<KeyPair> GenerateOneTimeCertificate();

// What a plugin announced in field 6 of its line.
struct PeerCertificate {
  std::string pem;
  // "ECDSA P-521", "RSA 2048", "Ed25519".
  std::string key_description;
  bool is_p521 = false;
  // The DNS names of the subject alternative name extension. Bytes that are
  // not printable ASCII are escaped.
  std::vector<std::string> dns_names;
  absl::Time not_before;
  absl::Time not_after;
};

// Reads `der`, and refuses with kServerCertificate, evidence and hint what the
// TLS handshake would refuse later with less to say: bytes that are no
// certificate, trailing bytes, a validity that does not include `now`, a key or
// signature that is too weak or of a kind TLS 1.3 can't use, a purpose other
// than serving, a name other than "localhost".
//
// Does not ask for a CA, keyCertSign or clientAuth: the certificate is trusted
// because it was announced, and plugins exist without any of the three.
absl::StatusOr<PeerCertificate> ParsePeerCertificate(absl::string_view der,
                                                     absl::Time now);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_CERTIFICATE_H_
