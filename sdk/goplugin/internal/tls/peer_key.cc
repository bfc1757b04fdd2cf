#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/peer_checks.h"

namespace goplugin::internal {
namespace {

// The curve, by the key's own parameters: the one way both libraries have.
int CurveOf(X509* certificate) {
  X509_ALGOR* algorithm = nullptr;
  if (X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algorithm,
                             X509_get_X509_PUBKEY(certificate)) != 1) {
    return NID_undef;
  }
  const ASN1_OBJECT* oid = nullptr;
  int type = V_ASN1_UNDEF;
  const void* parameter = nullptr;
  X509_ALGOR_get0(&oid, &type, &parameter, algorithm);
  return type == V_ASN1_OBJECT
             ? OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(parameter))
             : NID_undef;
}

std::string CurveName(int nid) {
  switch (nid) {
    case NID_X9_62_prime256v1:
      return "P-256";
    case NID_secp384r1:
      return "P-384";
    case NID_secp521r1:
      return "P-521";
    default: {
      const char* name = OBJ_nid2sn(nid);
      return nid == NID_undef || name == nullptr ? "of an unnamed curve" : name;
    }
  }
}

absl::Status CheckEcKey(X509* certificate, PeerCertificate* peer) {
  const int curve = CurveOf(certificate);
  peer->key_description = absl::StrCat("ECDSA ", CurveName(curve));
  peer->is_p521 = curve == NID_secp521r1;
  if (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 ||
      curve == NID_secp521r1) {
    return absl::OkStatus();
  }
  return RefuseCertificate(
      "TLS 1.3 can't use the key of the plugin's certificate",
      {absl::StrCat("it is ", peer->key_description),
       "TLS 1.3 knows P-256, P-384 and P-521"},
      kBringGoodCertificate);
}

std::string IssuerText(X509* certificate) {
  const OpensslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), X509_get_issuer_name(certificate), 0,
                         XN_FLAG_RFC2253) < 0) {
    return "somebody whose name can't be read";
  }
  return Quote(BioBytes(bio.get()), 128);
}

}  // namespace

bool IsP521(X509* certificate) { return CurveOf(certificate) == NID_secp521r1; }

absl::Status CheckKey(X509* certificate, int min_rsa_bits,
                      PeerCertificate* peer) {
  const OpensslPtr<EVP_PKEY> key(X509_get_pubkey(certificate));
  if (key == nullptr) {
    return RefuseCertificate(
        "the key of the plugin's certificate can't be read", {TakeErrors()},
        kBringGoodCertificate);
  }
  const int kind = EVP_PKEY_id(key.get());
  if (kind == EVP_PKEY_EC) return CheckEcKey(certificate, peer);
  if (kind == EVP_PKEY_ED25519) {
    peer->key_description = "Ed25519";
    return absl::OkStatus();
  }
  if (kind != EVP_PKEY_RSA) {
    const char* name = OBJ_nid2sn(kind);
    peer->key_description = name == nullptr ? "unknown" : name;
    return RefuseCertificate(
        "the key of the plugin's certificate is of an unusual kind",
        {absl::StrCat("it is ", peer->key_description)}, kBringGoodCertificate);
  }
  const int bits = EVP_PKEY_bits(key.get());
  peer->key_description = absl::StrCat("RSA ", bits);
  if (bits >= min_rsa_bits) return absl::OkStatus();
  return RefuseCertificate(
      "the key of the plugin's certificate is too weak",
      {absl::StrCat("it is ", peer->key_description),
       absl::StrCat("an RSA key must have ", min_rsa_bits, " bits")},
      absl::StrCat(kBringGoodCertificate,
                   "; a plugin that can't be changed is let in by "
                   "ClientOptions::tls.min_rsa_bits"));
}

absl::Status CheckSignature(X509* certificate) {
  if (X509_NAME_cmp(X509_get_issuer_name(certificate),
                    X509_get_subject_name(certificate)) == 0) {
    return absl::OkStatus();
  }
  int digest = NID_undef;
  int key = NID_undef;
  const int signature = X509_get_signature_nid(certificate);
  if (OBJ_find_sigid_algs(signature, &digest, &key) != 1 ||
      (digest != NID_md5 && digest != NID_sha1)) {
    return absl::OkStatus();
  }
  return RefuseCertificate(
      "the signature under the plugin's certificate is too weak",
      {absl::StrCat("it is ", OBJ_nid2sn(signature)),
       absl::StrCat("the certificate was issued by ", IssuerText(certificate))},
      absl::StrCat("have it signed with SHA-256; or ", kBringGoodCertificate));
}

}  // namespace goplugin::internal
