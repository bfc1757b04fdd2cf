#ifndef TESTS_PLUGINS_SERVER_CERTIFICATE_H_
#define TESTS_PLUGINS_SERVER_CERTIFICATE_H_

#include <cstdint>
#include <string>

namespace server_plugin {

// What a certificate is to be like.
struct CertificateSpec {
  std::string key = "p256";        // p256, p384, p521, rsa1024, rsa2048
  std::string name = "localhost";  // CN, and the only DNS SAN
  // Seconds from now.
  std::int32_t not_before = -30;
  std::int32_t not_after = 24 * 3600;
};

// A self-signed certificate and its key.
struct Certificate {
  std::string certificate_pem;
  std::string private_key_pem;
  std::string der;
};

// Ends the process with code 70 when the TLS library refuses.
Certificate MakeCertificate(const CertificateSpec& spec);

// Makes OpenSSL take keys of any strength. Before the first use of TLS.
void AllowWeakKeys();

}  // namespace server_plugin

#endif  // TESTS_PLUGINS_SERVER_CERTIFICATE_H_
