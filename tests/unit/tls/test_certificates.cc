#include "tests/unit/tls/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/time/time.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

void Require(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "test certificate: %s: %s\n", what,
               TakeErrors().c_str());
  std::abort();
}

OpensslPtr<EVP_PKEY> MakeKey(const CertificateSpec& spec) {
  const int id = spec.key == CertificateSpec::Key::kEc    ? EVP_PKEY_EC
                 : spec.key == CertificateSpec::Key::kRsa ? EVP_PKEY_RSA
                                                          : EVP_PKEY_ED25519;
  OpensslPtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_id(id, nullptr));
  Require(EVP_PKEY_keygen_init(context.get()) == 1, "keygen_init");
  if (spec.key == CertificateSpec::Key::kEc) {
    int nid = EC_curve_nist2nid(spec.curve.c_str());
    if (nid == NID_undef) nid = OBJ_sn2nid(spec.curve.c_str());
    Require(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), nid) == 1,
            "curve");
  } else if (spec.key == CertificateSpec::Key::kRsa) {
    Require(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), spec.bits) == 1,
            "bits");
  }
  EVP_PKEY* key = nullptr;
  Require(EVP_PKEY_keygen(context.get(), &key) == 1, "keygen");
  return OpensslPtr<EVP_PKEY>(key);
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context = {};
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  OpensslPtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
  Require(extension != nullptr, value.c_str());
  Require(X509_add_ext(certificate, extension.get(), -1) == 1, "add");
}

void SetNames(X509* certificate, const CertificateSpec& spec) {
  const OpensslPtr<X509_NAME> name(X509_NAME_new());
  Require(X509_NAME_add_entry_by_NID(
              name.get(), NID_commonName, MBSTRING_UTF8,
              reinterpret_cast<const unsigned char*>(spec.common_name.data()),
              static_cast<int>(spec.common_name.size()), -1, 0) == 1,
          "common name");
  Require(X509_set_subject_name(certificate, name.get()) == 1, "subject");
  Require(X509_set_issuer_name(certificate, name.get()) == 1, "issuer");
}

void SetTimes(X509* certificate, const CertificateSpec& spec) {
  Require(ASN1_TIME_set(X509_getm_notBefore(certificate),
                        absl::ToTimeT(spec.not_before)) != nullptr,
          "not before");
  Require(ASN1_TIME_set(X509_getm_notAfter(certificate),
                        absl::ToTimeT(spec.not_after)) != nullptr,
          "not after");
}

void Sign(X509* certificate, EVP_PKEY* own_key, const CertificateSpec& spec) {
  const EVP_MD* digest = spec.key == CertificateSpec::Key::kEd25519
                             ? nullptr
                             : EVP_get_digestbyname(spec.digest.c_str());
  if (spec.issuer == nullptr) {
    Require(X509_sign(certificate, own_key, digest) != 0, "sign");
    return;
  }
  OpensslPtr<BIO> key_bio = ReadBio(spec.issuer->private_key_pem);
  OpensslPtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  OpensslPtr<BIO> issuer_bio = ReadBio(spec.issuer->certificate_pem);
  OpensslPtr<X509> issuer(
      PEM_read_bio_X509(issuer_bio.get(), nullptr, nullptr, nullptr));
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.get()));
  Require(X509_sign(certificate, key.get(), digest) != 0, "issue");
}

KeyPair ToKeyPair(X509* certificate, EVP_PKEY* key) {
  OpensslPtr<BIO> der(BIO_new(BIO_s_mem()));
  Require(i2d_X509_bio(der.get(), certificate) == 1, "DER");
  OpensslPtr<BIO> key_pem(BIO_new(BIO_s_mem()));
  Require(PEM_write_bio_PrivateKey(key_pem.get(), key, nullptr, nullptr, 0,
                                   nullptr, nullptr) == 1,
          "key PEM");
  return KeyPair{CertificateToPem(certificate), BioBytes(key_pem.get()),
                 BioBytes(der.get())};
}

}  // namespace

KeyPair MakeCertificate(const CertificateSpec& spec) {
  OpensslPtr<EVP_PKEY> key = MakeKey(spec);
  OpensslPtr<X509> certificate(X509_new());
  X509* raw = certificate.get();
  X509_set_version(raw, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), 1);
  SetNames(raw, spec);
  SetTimes(raw, spec);
  X509_set_pubkey(raw, key.get());
  AddExtension(raw, NID_basic_constraints, spec.basic_constraints);
  AddExtension(raw, NID_key_usage, spec.key_usage);
  AddExtension(raw, NID_ext_key_usage, spec.extended_key_usage);
  AddExtension(raw, NID_subject_alt_name, spec.subject_alt_name);
  Sign(raw, key.get(), spec);
  return ToKeyPair(raw, key.get());
}

}  // namespace goplugin::internal
