#ifndef GOPLUGIN_INTERNAL_TLS_OPENSSL_H_
#define GOPLUGIN_INTERNAL_TLS_OPENSSL_H_

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

// Ownership and errors of OpenSSL and BoringSSL, in C++ terms.

namespace goplugin::internal {

// One deleter for all the types of the C API that this room owns.
struct OpensslDelete {
  void operator()(ASN1_STRING* value) const { ASN1_STRING_free(value); }
  void operator()(BIGNUM* value) const { BN_free(value); }
  void operator()(BIO* value) const { BIO_free_all(value); }
  void operator()(EVP_PKEY* value) const { EVP_PKEY_free(value); }
  void operator()(EVP_PKEY_CTX* value) const { EVP_PKEY_CTX_free(value); }
  void operator()(GENERAL_NAMES* value) const { GENERAL_NAMES_free(value); }
  void operator()(SSL* value) const { SSL_free(value); }
  void operator()(SSL_CTX* value) const { SSL_CTX_free(value); }
  void operator()(X509* value) const { X509_free(value); }
  void operator()(X509_STORE* value) const { X509_STORE_free(value); }
  void operator()(X509_STORE_CTX* value) const { X509_STORE_CTX_free(value); }
  // The list alone.
  void operator()(STACK_OF(X509) * value) const { sk_X509_free(value); }
  void operator()(X509_NAME* value) const { X509_NAME_free(value); }
  void operator()(X509_EXTENSION* value) const { X509_EXTENSION_free(value); }
};

template <typename T>
using OpensslPtr = std::unique_ptr<T, OpensslDelete>;

// Has the library do now what it does at its first use, and register what it
// does at the process's exit. Thread-safe.
void InitializeTlsLibrary();

// Keeps the calling thread's error queue clean: gRPC's own TLS may run on the
// same thread, and would take a leftover for an error of its own.
class ErrorQueueGuard {
 public:
  ErrorQueueGuard();
  ~ErrorQueueGuard();
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
};

// The library's words for what just failed, as evidence; empties the queue.
std::string TakeErrors();

// A read-only BIO over `bytes`, which must outlive it. Null when `bytes` is
// larger than a BIO can hold (2 GiB) or memory is short.
OpensslPtr<BIO> ReadBio(absl::string_view bytes);

// What was written to a memory BIO.
std::string BioBytes(BIO* bio);

// "" when that fails.
std::string CertificateToPem(X509* certificate);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_OPENSSL_H_
