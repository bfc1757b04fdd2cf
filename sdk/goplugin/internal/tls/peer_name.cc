#include <openssl/asn1.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/peer_checks.h"

namespace goplugin::internal {
namespace {

// Listed in PeerCertificate; all of them are looked at.
constexpr size_t kMaxDnsNames = 16;

struct Names {
  // The extension is there: the common name no longer counts.
  bool has_alternatives = false;
  // "" or what gRPC would abort the process on: it asserts that it can read
  // every name (1.51 to today).
  std::string unreadable;
  std::vector<std::string> dns;
  std::string common_name;
};

absl::string_view Bytes(const ASN1_STRING* text) {
  const int size = ASN1_STRING_length(text);
  if (size <= 0) return "";
  return absl::string_view(
      reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
      static_cast<size_t>(size));
}

bool IsText(const ASN1_STRING* text) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, text);
  if (size >= 0) OPENSSL_free(utf8);
  return size >= 0;
}

void ReadAlternative(const GENERAL_NAME& name, Names* names) {
  switch (name.type) {
    case GEN_DNS:
      if (!IsText(name.d.dNSName)) names->unreadable = "a DNS name";
      names->dns.emplace_back(Bytes(name.d.dNSName));
      break;
    case GEN_EMAIL:
      if (!IsText(name.d.rfc822Name)) names->unreadable = "a mail address";
      break;
    case GEN_URI:
      if (!IsText(name.d.uniformResourceIdentifier)) {
        names->unreadable = "a URI";
      }
      break;
    case GEN_IPADD: {
      const int size = ASN1_STRING_length(name.d.iPAddress);
      if (size != 4 && size != 16) {
        names->unreadable = absl::StrCat("an IP address of ", size, " bytes");
      }
      break;
    }
    default:
      break;
  }
}

void ReadAlternatives(X509* certificate, Names* names) {
  names->has_alternatives =
      X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
  const OpensslPtr<GENERAL_NAMES> list(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (list == nullptr) return;
  const size_t count = sk_GENERAL_NAME_num(list.get());
  for (size_t i = 0; i < count; ++i) {
    ReadAlternative(*sk_GENERAL_NAME_value(list.get(), i), names);
  }
}

void ReadCommonName(X509* certificate, Names* names) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return;
  const ASN1_STRING* text =
      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  if (!IsText(text)) names->unreadable = "the common name";
  const absl::string_view bytes = Bytes(text);
  names->common_name.assign(bytes.data(), bytes.size());
}

// As gRPC's own check, which comes later: case does not count, and the dot of
// an absolute name neither.
bool IsServerName(absl::string_view name) {
  return absl::EqualsIgnoreCase(absl::StripSuffix(name, "."), kServerName);
}

std::vector<std::string> Evidence(const Names& names) {
  std::string alternatives = "it has no subject alternative name";
  if (!names.dns.empty()) {
    alternatives = absl::StrCat("its DNS names are ",
                                Quote(absl::StrJoin(names.dns, ", "), 256));
  } else if (names.has_alternatives) {
    alternatives = "its subject alternative name holds no DNS name";
  }
  return {absl::StrCat("its common name is ", Quote(names.common_name, 128)),
          alternatives};
}

}  // namespace

absl::Status CheckName(X509* certificate, PeerCertificate* peer) {
  Names names;
  ReadAlternatives(certificate, &names);
  ReadCommonName(certificate, &names);
  if (!names.unreadable.empty()) {
    return RefuseCertificate(
        "the plugin's certificate holds a name that can't be read",
        {absl::StrCat("it is ", names.unreadable)}, kBringGoodCertificate);
  }
  bool matches = !names.has_alternatives && IsServerName(names.common_name);
  for (const std::string& name : names.dns) {
    matches = matches || IsServerName(name);
    if (peer->dns_names.size() < kMaxDnsNames) {
      peer->dns_names.push_back(absl::CHexEscape(name));
    }
  }
  if (matches) return absl::OkStatus();
  return RefuseCertificate(
      "the plugin's certificate is not for the name \"localhost\"",
      Evidence(names), kBringGoodCertificate);
}

}  // namespace goplugin::internal
