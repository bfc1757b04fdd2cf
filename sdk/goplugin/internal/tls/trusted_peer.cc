#include "goplugin/internal/tls/trusted_peer.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

std::vector<OpensslPtr<X509>> ReadAll(absl::string_view pem) {
  std::vector<OpensslPtr<X509>> certificates;
  const OpensslPtr<BIO> bio = ReadBio(pem);
  while (bio != nullptr && certificates.size() < kMostTrusted) {
    OpensslPtr<X509> next(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  return certificates;
}

absl::Status Failed(absl::string_view why) {
  return absl::UnauthenticatedError(
      absl::StrCat("certificate verify failed: ", why));
}

const char* PurposeOf(PeerRole role) {
  return role == PeerRole::kServer ? "ssl_server" : "ssl_client";
}

// Verifies `leaf` by the library, within `store`; a server's `name` as well,
// unless it is null.
absl::Status Verify(X509_STORE* store, X509* leaf, STACK_OF(X509) * chain,
                    PeerRole role, const char* name) {
  const OpensslPtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (context == nullptr ||
      X509_STORE_CTX_init(context.get(), store, leaf, chain) != 1) {
    return Failed("no memory");
  }
  X509_STORE_CTX_set_default(context.get(), PurposeOf(role));
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  // A certificate that was issued by another is trusted as it stands, too.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME |
                                              X509_V_FLAG_PARTIAL_CHAIN |
                                              X509_V_FLAG_TRUSTED_FIRST);
  if (name != nullptr &&
      X509_VERIFY_PARAM_set1_host(parameters, name, std::strlen(name)) != 1) {
    return Failed("no memory");
  }
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  return Failed(
      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

#if !defined(OPENSSL_IS_BORINGSSL)
// What the library demands of keys and digests, as its configuration has it.
int SecurityLevel() {
  static const int level = [] {
    const OpensslPtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
    return context == nullptr ? 0 : SSL_CTX_get_security_level(context.get());
  }();
  return level;
}
#endif

}  // namespace

absl::Status CheckTrusted(const std::string& trusted,
                          absl::string_view certificate,
                          absl::string_view chain, PeerRole role) {
  ErrorQueueGuard guard;
  const std::vector<OpensslPtr<X509>> leaf = ReadAll(certificate);
  if (leaf.empty()) return Failed("there is none");
  const OpensslPtr<X509_STORE> store(X509_STORE_new());
  if (store == nullptr) return Failed("no memory");
  bool is_named = role == PeerRole::kServer;
  for (const OpensslPtr<X509>& anchor : ReadAll(trusted)) {
    X509_STORE_add_cert(store.get(), anchor.get());
    if (X509_cmp(anchor.get(), leaf.front().get()) == 0) is_named = false;
  }
  // Holds them by reference only.
  const std::vector<OpensslPtr<X509>> between = ReadAll(chain);
  const OpensslPtr<STACK_OF(X509)> stack(sk_X509_new_null());
  for (const OpensslPtr<X509>& link : between) {
    if (stack != nullptr) sk_X509_push(stack.get(), link.get());
  }
  return Verify(store.get(), leaf.front().get(), stack.get(), role,
                is_named ? kServerName : nullptr);
}

// As gRPC has it verified.
bool LibraryTrusts(X509* certificate, PeerRole role) {
  ErrorQueueGuard guard;
  const OpensslPtr<X509_STORE> store(X509_STORE_new());
  const OpensslPtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  if (store == nullptr || context == nullptr ||
      X509_STORE_add_cert(store.get(), certificate) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) !=
          1) {
    return false;
  }
  X509_STORE_CTX_set_default(context.get(), PurposeOf(role));
#if !defined(OPENSSL_IS_BORINGSSL)
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(context.get()),
                                   SecurityLevel());
#endif
  return X509_verify_cert(context.get()) == 1;
}

}  // namespace goplugin::internal
