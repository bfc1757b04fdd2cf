#ifndef GOPLUGIN_TESTS_UNIT_TLS_TEST_CERTIFICATES_H_
#define GOPLUGIN_TESTS_UNIT_TLS_TEST_CERTIFICATES_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/internal/tls/certificate.h"

namespace goplugin::internal {

// A certificate as some plugin might bring it. The defaults are those of a
// stock Go plugin, but for the curve.
struct CertificateSpec {
  enum class Key { kEc, kRsa, kEd25519 };

  Key key = Key::kEc;
  // kEc: a curve's name ("P-256", "secp256k1").
  std::string curve = "P-256";
  // kRsa.
  int bits = 2048;
  // A digest's name; unused for Ed25519.
  std::string digest = "SHA256";
  std::string common_name = "localhost";
  // The value of each extension in OpenSSL's words; "" leaves it out.
  std::string subject_alt_name = "DNS:localhost";
  std::string basic_constraints = "critical,CA:TRUE";
  std::string key_usage =
      "critical,digitalSignature,keyEncipherment,keyAgreement,keyCertSign";
  std::string extended_key_usage = "clientAuth,serverAuth";
  absl::Time not_before = absl::Now() - absl::Seconds(30);
  absl::Time not_after = absl::Now() + absl::Hours(24 * 3650);
  // Who signs; null: the certificate itself.
  const KeyPair* issuer = nullptr;
};

// Never fails: a spec that can't be made ends the test program.
KeyPair MakeCertificate(const CertificateSpec& spec);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_TLS_TEST_CERTIFICATES_H_
