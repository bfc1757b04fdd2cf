// Field 6 of the handshake line, after base64: bytes that the plugin chooses.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view der(reinterpret_cast<const char*>(data), size);
  const auto peer = goplugin::internal::ParsePeerCertificate(der);
  if (peer.ok()) {
    if (peer->pem.empty() || peer->key_description.empty()) std::abort();
    return 0;
  }
  const auto details = goplugin::GetErrorDetails(peer.status());
  if (!details.has_value() ||
      details->reason != goplugin::Reason::kServerCertificate ||
      details->evidence.empty() || details->hint.empty()) {
    std::abort();
  }
  return 0;
}
