#include "examples/inspect/certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/inspect/error.h"

// Written in the API that OpenSSL and BoringSSL share, because gRPC may be
// linked with either.

namespace inspect {
namespace {

struct Free {
  void operator()(ASN1_TIME* value) const { ASN1_TIME_free(value); }
  void operator()(BIO* value) const { BIO_free_all(value); }
  void operator()(EVP_PKEY* value) const { EVP_PKEY_free(value); }
  void operator()(GENERAL_NAMES* value) const { GENERAL_NAMES_free(value); }
  void operator()(X509* value) const { X509_free(value); }
};

template <typename T>
using Owned = std::unique_ptr<T, Free>;

absl::string_view Bytes(const ASN1_STRING* text) {
  return absl::string_view(
      reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
      static_cast<std::size_t>(ASN1_STRING_length(text)));
}

// The curve is a parameter of the key's algorithm.
std::string CurveOf(X509* certificate) {
  X509_ALGOR* algorithm = nullptr;
  const void* parameter = nullptr;
  int type = V_ASN1_UNDEF;
  if (X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algorithm,
                             X509_get_X509_PUBKEY(certificate)) == 1) {
    X509_ALGOR_get0(nullptr, &type, &parameter, algorithm);
  }
  const int curve =
      type == V_ASN1_OBJECT
          ? OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(parameter))
          : NID_undef;
  switch (curve) {
    case NID_X9_62_prime256v1:
      return "P-256";
    case NID_secp384r1:
      return "P-384";
    case NID_secp521r1:
      return "P-521";
    default:
      return curve == NID_undef ? "of an unnamed curve" : OBJ_nid2sn(curve);
  }
}

std::string KeyOf(X509* certificate) {
  const Owned<EVP_PKEY> key(X509_get_pubkey(certificate));
  if (key == nullptr) return "unreadable";
  switch (EVP_PKEY_id(key.get())) {
    case EVP_PKEY_EC:
      return absl::StrCat("ECDSA ", CurveOf(certificate));
    case EVP_PKEY_RSA:
      return absl::StrCat("RSA ", EVP_PKEY_bits(key.get()));
    default: {
      const char* name = OBJ_nid2sn(EVP_PKEY_id(key.get()));
      return name == nullptr ? "of an unknown kind" : name;
    }
  }
}

std::string SubjectOf(X509* certificate) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0,
                         XN_FLAG_RFC2253) < 0) {
    return "";
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : "";
}

std::string TimeText(const ASN1_TIME* time) {
  const Owned<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (epoch == nullptr ||
      ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
    return "unreadable";
  }
  return absl::FormatTime(
      "%Y-%m-%dT%H:%M:%SZ",
      absl::UnixEpoch() + absl::Hours(24) * days + absl::Seconds(seconds),
      absl::UTCTimeZone());
}

void AddNames(X509* certificate, Certificate* report) {
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  const auto count = sk_GENERAL_NAME_num(names.get());
  for (decltype(sk_GENERAL_NAME_num(names.get())) i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      report->add_dns_names(Text(Bytes(name->d.dNSName)));
    }
  }
}

}  // namespace

Certificate ReadCertificate(const std::string& der) {
  Certificate report;
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const Owned<X509> certificate(
      d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
  if (certificate == nullptr) {
    // gRPC, on the same thread, would take it for an error of its own.
    ERR_clear_error();
    report.set_unreadable(
        absl::StrCat("the ", der.size(), " bytes are no certificate"));
    return report;
  }
  report.set_key(KeyOf(certificate.get()));
  report.set_subject(Text(SubjectOf(certificate.get())));
  AddNames(certificate.get(), &report);
  report.set_not_before(TimeText(X509_get0_notBefore(certificate.get())));
  report.set_not_after(TimeText(X509_get0_notAfter(certificate.get())));
  return report;
}

}  // namespace inspect
