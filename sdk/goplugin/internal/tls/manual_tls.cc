#include "goplugin/internal/tls/manual_tls.h"

#include <openssl/ssl.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/pem.h"

namespace goplugin::internal {
namespace {

constexpr char kRoots[] = "tls.root_certificates";
constexpr char kChain[] = "tls.certificate_chain";
constexpr char kKey[] = "tls.private_key";

absl::Status Unusable(std::string what, std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = std::move(what);
  details.evidence = {TakeErrors()};
  details.hint = std::move(hint);
  return MakeError(details);
}

// Loads both as gRPC will, so that what the library refuses (a weak key, a key
// of another certificate) is refused now.
absl::Status TryToUse(X509* certificate, EVP_PKEY* key) {
  ErrorQueueGuard guard;
  const OpensslPtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  if (context == nullptr ||
      SSL_CTX_use_certificate(context.get(), certificate) != 1) {
    return Unusable(
        absl::StrCat("the TLS library refuses the certificate in ", kChain),
        "use one with an ECDSA P-256 key, or RSA with 2048 bits or more, "
        "signed with SHA-256");
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Unusable(
        absl::StrCat(kKey, " does not belong to the first certificate in ",
                     kChain),
        "the host's own certificate comes first, then its intermediates; the "
        "key must be that of the first one");
  }
  return absl::OkStatus();
}

absl::Status ValidateOwn(const ManualTls& tls) {
  if (tls.certificate_chain.empty() && tls.private_key.empty()) {
    return absl::OkStatus();
  }
  if (tls.private_key.empty()) {
    return MakeError(Reason::kOptions,
                     absl::StrCat(kChain, " is set and ", kKey, " is empty"),
                     "set both, or neither when the plugin asks for no client "
                     "certificate");
  }
  if (tls.certificate_chain.empty()) {
    return MakeError(Reason::kOptions,
                     absl::StrCat(kKey, " is set and ", kChain, " is empty"),
                     "set both, or neither when the plugin asks for no client "
                     "certificate");
  }
  absl::StatusOr<std::vector<OpensslPtr<X509>>> chain =
      ReadCertificates(tls.certificate_chain, kChain);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<OpensslPtr<EVP_PKEY>> key =
      ReadPrivateKey(tls.private_key, kKey);
  if (!key.ok()) return key.status();
  return TryToUse(chain->front().get(), key->get());
}

}  // namespace

absl::Status ValidateManualTls(const ManualTls& tls) {
  if (tls.root_certificates.empty()) {
    return MakeError(Reason::kOptions,
                     absl::StrCat("TlsMode::kManual needs ", kRoots),
                     "give the certificate of the authority that issued the "
                     "plugin's, or the plugin's own; without roots gRPC would "
                     "trust every authority of the system");
  }
  absl::Status roots = ReadCertificates(tls.root_certificates, kRoots).status();
  if (!roots.ok()) return roots;
  return ValidateOwn(tls);
}

}  // namespace goplugin::internal
