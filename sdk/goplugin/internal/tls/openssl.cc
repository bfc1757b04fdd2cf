#include "goplugin/internal/tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {

void InitializeTlsLibrary() { OPENSSL_init_ssl(0, nullptr); }

ErrorQueueGuard::ErrorQueueGuard() { ERR_clear_error(); }
ErrorQueueGuard::~ErrorQueueGuard() { ERR_clear_error(); }

std::string TakeErrors() {
  std::string text;
  // The queue is short, but what is in it is up to the library.
  for (int i = 0; i < 4; ++i) {
    const unsigned long code = ERR_get_error();  // NOLINT(google-runtime-int)
    if (code == 0) break;
    char buffer[256];
    ERR_error_string_n(code, buffer, sizeof(buffer));
    absl::StrAppend(&text, text.empty() ? "" : ", ", buffer);
  }
  ERR_clear_error();
  return text.empty() ? "the TLS library gave no reason" : text;
}

OpensslPtr<BIO> ReadBio(absl::string_view bytes) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return nullptr;
  }
  // A null pointer is an error even with length 0.
  const char* data = bytes.empty() ? "" : bytes.data();
  return OpensslPtr<BIO>(BIO_new_mem_buf(data, static_cast<int>(bytes.size())));
}

std::string BioBytes(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);  // NOLINT(google-runtime-int)
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : "";
}

std::string CertificateToPem(X509* certificate) {
  OpensslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_X509(bio.get(), certificate) != 1) {
    return "";
  }
  return BioBytes(bio.get());
}

}  // namespace goplugin::internal
