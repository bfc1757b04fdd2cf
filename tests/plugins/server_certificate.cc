#include "tests/plugins/server_certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/plugins/output.h"

namespace server_plugin {
namespace {

void Require(bool ok, const char* step) {
  if (ok) return;
  fprintf(stderr, "server_plugin: certificate: %s failed\n", step);
  _exit(70);
}

int CurveOf(const std::string& key) {
  if (key == "p256") return NID_X9_62_prime256v1;
  if (key == "p384") return NID_secp384r1;
  if (key == "p521") return NID_secp521r1;
  return 0;
}

EVP_PKEY* MakeKey(const std::string& kind) {
  int curve = CurveOf(kind);
  int bits = kind == "rsa1024" ? 1024 : kind == "rsa2048" ? 2048 : 0;
  Require(curve != 0 || bits != 0, "--tls-key");
  EVP_PKEY_CTX* context =
      EVP_PKEY_CTX_new_id(curve != 0 ? EVP_PKEY_EC : EVP_PKEY_RSA, nullptr);
  Require(EVP_PKEY_keygen_init(context) == 1, "keygen_init");
  int set = curve != 0 ? EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, curve)
                       : EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits);
  Require(set == 1, "key parameters");
  EVP_PKEY* key = nullptr;
  Require(EVP_PKEY_keygen(context, &key) == 1, "keygen");
  EVP_PKEY_CTX_free(context);
  return key;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
  Require(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void Fill(X509* certificate, const CertificateSpec& spec) {
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), getpid());
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.not_before);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.not_after);
  X509_NAME* name = X509_NAME_new();
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
  X509_set_subject_name(certificate, name);
  X509_set_issuer_name(certificate, name);
  X509_NAME_free(name);
  // As go-plugin makes them.
  AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, NID_key_usage,
               "critical,digitalSignature,keyEncipherment,keyAgreement,"
               "keyCertSign");
  AddExtension(certificate, NID_ext_key_usage, "clientAuth,serverAuth");
  AddExtension(certificate, NID_subject_alt_name, "DNS:" + spec.name);
}

std::string Drain(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

Certificate MakeCertificate(const CertificateSpec& spec) {
  EVP_PKEY* key = MakeKey(spec.key);
  X509* certificate = X509_new();
  Fill(certificate, spec);
  Require(X509_set_pubkey(certificate, key) == 1, "set_pubkey");
  Require(X509_sign(certificate, key, EVP_sha256()) > 0, "sign");

  Certificate result;
  BIO* bio = BIO_new(BIO_s_mem());
  Require(PEM_write_bio_X509(bio, certificate) == 1, "PEM");
  result.certificate_pem = Drain(bio);
  bio = BIO_new(BIO_s_mem());
  Require(PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr,
                                   nullptr) == 1,
          "key PEM");
  result.private_key_pem = Drain(bio);
  bio = BIO_new(BIO_s_mem());
  Require(i2d_X509_bio(bio, certificate) == 1, "DER");
  result.der = Drain(bio);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return result;
}

void AllowWeakKeys() {
  // Debian's OpenSSL starts at security level 2, which RSA-1024 does not
  // reach, and gRPC gives no way to lower it. BoringSSL has no levels, and
  // reads no such file.
  int file = memfd_create("openssl.cnf", 0);
  output::Say(file,
              "openssl_conf = init\n"
              "[init]\nssl_conf = ssl\n"
              "[ssl]\nsystem_default = all\n"
              "[all]\nCipherString = DEFAULT:@SECLEVEL=0\n");
  std::string path = "/proc/self/fd/" + std::to_string(file);
  setenv("OPENSSL_CONF", path.c_str(), 1);
}

}  // namespace server_plugin
