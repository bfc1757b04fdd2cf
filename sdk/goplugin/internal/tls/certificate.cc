#include "goplugin/internal/tls/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

// It dies with the launch, and both sides' clocks may be anywhere: a host that
// starts without one in 1970 hears of the time while its plugin runs. So it is
// valid whenever anybody looks. The end is RFC 5280's for "none".
constexpr char kNotBefore[] = "700101000000Z";
constexpr char kNotAfter[] = "99991231235959Z";
constexpr int kSerialBits = 128;

OpensslPtr<EVP_PKEY> GenerateKey() {
  OpensslPtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(),
                                             NID_X9_62_prime256v1) != 1 ||
      EVP_PKEY_keygen(context.get(), &key) != 1) {
    return nullptr;
  }
  return OpensslPtr<EVP_PKEY>(key);
}

bool SetSerial(X509* certificate) {
  OpensslPtr<BIGNUM> number(BN_new());
  return number != nullptr &&
         BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY,
                 BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) !=
             nullptr;
}

// By a name of its own: the certificate's is const from OpenSSL 4.0 on.
bool SetName(X509* certificate) {
  const OpensslPtr<X509_NAME> name(X509_NAME_new());
  const auto add = [&name](int nid, const char* text) {
    return X509_NAME_add_entry_by_NID(
               name.get(), nid, MBSTRING_ASC,
               reinterpret_cast<const unsigned char*>(text), -1, -1, 0) == 1;
  };
  return name != nullptr && add(NID_organizationName, "go-plugin-cpp") &&
         add(NID_commonName, kServerName) &&
         X509_set_subject_name(certificate, name.get()) == 1 &&
         X509_set_issuer_name(certificate, name.get()) == 1;
}

bool SetValidity(X509* certificate) {
  // RFC 5280: two digits for the year up to 2049, then four.
  return ASN1_UTCTIME_set_string(X509_getm_notBefore(certificate),
                                 kNotBefore) == 1 &&
         ASN1_GENERALIZEDTIME_set_string(X509_getm_notAfter(certificate),
                                         kNotAfter) == 1;
}

bool AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context = {};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  OpensslPtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr &&
         X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool AddExtensions(X509* certificate) {
  return AddExtension(certificate, NID_basic_constraints,
                      "critical,CA:FALSE") &&
         AddExtension(certificate, NID_key_usage,
                      "critical,digitalSignature,keyAgreement") &&
         AddExtension(certificate, NID_ext_key_usage,
                      "serverAuth,clientAuth") &&
         AddExtension(certificate, NID_subject_alt_name,
                      absl::StrCat("DNS:", kServerName)) &&
         AddExtension(certificate, NID_subject_key_identifier, "hash");
}

OpensslPtr<X509> SelfSigned(EVP_PKEY* key) {
  OpensslPtr<X509> certificate(X509_new());
  X509* raw = certificate.get();
  if (raw == nullptr || X509_set_version(raw, 2) != 1 ||  // 2 means v3
      !SetSerial(raw) || !SetName(raw) || !SetValidity(raw) ||
      X509_set_pubkey(raw, key) != 1 || !AddExtensions(raw) ||
      X509_sign(raw, key, EVP_sha256()) == 0) {
    return nullptr;
  }
  return certificate;
}

std::string CertificateToDer(X509* certificate) {
  OpensslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || i2d_X509_bio(bio.get(), certificate) != 1) return "";
  return BioBytes(bio.get());
}

std::string KeyToPem(EVP_PKEY* key) {
  OpensslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0,
                                    nullptr, nullptr) != 1) {
    return "";
  }
  return BioBytes(bio.get());
}

absl::Status GenerationError() {
  ErrorDetails details;
  details.reason = Reason::kTls;
  details.what = "could not make a one-time certificate for AutoMTLS";
  details.evidence = {TakeErrors()};
  details.hint =
      "the TLS library is out of memory or randomness, or its configuration "
      "(openssl.cnf, OPENSSL_CONF) forbids ECDSA P-256";
  return MakeError(details);
}

}  // namespace

absl::StatusOr<KeyPair> GenerateOneTimeCertificate() {
  ErrorQueueGuard guard;
  const OpensslPtr<EVP_PKEY> key = GenerateKey();
  if (key == nullptr) return GenerationError();
  const OpensslPtr<X509> certificate = SelfSigned(key.get());
  if (certificate == nullptr) return GenerationError();
  KeyPair pair{CertificateToPem(certificate.get()), KeyToPem(key.get()),
               CertificateToDer(certificate.get())};
  if (pair.certificate_pem.empty() || pair.private_key_pem.empty() ||
      pair.certificate_der.empty()) {
    return GenerationError();
  }
  return pair;
}

}  // namespace goplugin::internal
