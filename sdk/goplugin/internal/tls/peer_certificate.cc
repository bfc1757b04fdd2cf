#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/peer_checks.h"
#include "goplugin/internal/tls/pem.h"
#include "goplugin/internal/tls/trusted_peer.h"

namespace goplugin::internal {
namespace {

// Far above any certificate; bounds the work on hostile input.
constexpr size_t kMaxDerBytes = 65536;
absl::StatusOr<OpensslPtr<X509>> Decode(absl::string_view der) {
  constexpr size_t kQuoted = 32;
  const std::string head =
      absl::StrCat("its first bytes are ", Quote(der.substr(0, kQuoted)));
  const std::string size = absl::StrCat("it has ", der.size(), " bytes");
  constexpr char kHint[] =
      "field 6 of the handshake line must be one certificate: DER, in base64; "
      "a PEM text or a certificate with its chain does not fit there";
  if (der.empty() || der.size() > kMaxDerBytes) {
    return RefuseCertificate(
        "the plugin's certificate is empty or too large",
        {size, absl::StrCat("at most ", kMaxDerBytes, " are read")}, kHint);
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = begin;
  OpensslPtr<X509> certificate(
      d2i_X509(nullptr, &end,
               static_cast<long>(der.size())));  // NOLINT(google-runtime-int)
  if (certificate == nullptr) {
    return RefuseCertificate("the plugin's certificate can't be read",
                             {size, head, TakeErrors()}, kHint);
  }
  const absl::string_view rest = der.substr(static_cast<size_t>(end - begin));
  if (!rest.empty()) {
    return RefuseCertificate(
        "the plugin's certificate is followed by other data",
        {absl::StrCat("the certificate ends after ", der.size() - rest.size(),
                      " of ", der.size(), " bytes"),
         absl::StrCat("then comes ", Quote(rest.substr(0, kQuoted)))},
        kHint);
  }
  return certificate;
}

bool ToTime(const ASN1_TIME* value, absl::Time* time) {
  const OpensslPtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (epoch == nullptr || value == nullptr ||
      ASN1_TIME_diff(&days, &seconds, epoch.get(), value) != 1) {
    return false;
  }
  *time = absl::UnixEpoch() + absl::Hours(24) * days + absl::Seconds(seconds);
  return true;
}

absl::Status ReadValidity(X509* certificate, PeerCertificate* peer) {
  if (ToTime(X509_get0_notBefore(certificate), &peer->not_before) &&
      ToTime(X509_get0_notAfter(certificate), &peer->not_after)) {
    return absl::OkStatus();
  }
  return RefuseCertificate(
      "the plugin's certificate has an unreadable validity", {TakeErrors()},
      kBringGoodCertificate);
}

// The library's own verdict on key usage and extended key usage.
absl::Status CheckPurpose(X509* certificate) {
  if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) == 1) {
    return absl::OkStatus();
  }
  return RefuseCertificate(
      "the plugin's certificate is not for servers",
      {"its key usage lacks digitalSignature, its extended key usage "
       "lacks serverAuth, or an extension can't be read"},
      kBringGoodCertificate);
}

}  // namespace

absl::Status RefuseCertificate(std::string what,
                               std::vector<std::string> evidence,
                               std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kServerCertificate;
  details.what = std::move(what);
  details.evidence = std::move(evidence);
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::StatusOr<PeerCertificate> ParsePeerCertificate(absl::string_view der,
                                                     int min_rsa_bits) {
  ErrorQueueGuard guard;
  absl::StatusOr<OpensslPtr<X509>> decoded = Decode(der);
  if (!decoded.ok()) return decoded.status();
  X509* certificate = decoded->get();
  PeerCertificate peer;
  absl::Status status = ReadValidity(certificate, &peer);
  if (status.ok()) status = CheckKey(certificate, min_rsa_bits, &peer);
  if (status.ok()) status = CheckName(certificate, &peer);
  if (status.ok()) status = CheckSignature(certificate);
  if (status.ok()) status = CheckPurpose(certificate);
  if (!status.ok()) return status;
  if (LibraryTrusts(certificate, PeerRole::kServer)) {
    peer.library_trusts_until = peer.not_after;
  }
  peer.pem = CertificateToPem(certificate);
  if (peer.pem.empty()) {
    return RefuseCertificate("the plugin's certificate can't be written as PEM",
                             {TakeErrors()}, kBringGoodCertificate);
  }
  return peer;
}

absl::StatusOr<PeerCertificate> ReadHostCertificate(const std::string& pem) {
  ErrorQueueGuard guard;
  absl::StatusOr<std::vector<OpensslPtr<X509>>> certificates =
      ReadCertificates(pem, "the host's certificate (PLUGIN_CLIENT_CERT)");
  if (!certificates.ok()) return certificates.status();
  if (certificates->size() > kMostTrusted) {
    ErrorDetails details;
    details.reason = Reason::kOptions;
    details.what = "PLUGIN_CLIENT_CERT holds more than a host's certificate";
    details.evidence = {
        absl::StrCat("it has ", certificates->size(), " certificates")};
    details.hint = absl::StrCat("a host gives its own; at most ", kMostTrusted,
                                " are looked at");
    return MakeError(details);
  }
  PeerCertificate host;
  host.pem = pem;
  X509* certificate = certificates->front().get();
  host.is_p521 = IsP521(certificate);
  if (certificates->size() == 1 && ReadValidity(certificate, &host).ok() &&
      LibraryTrusts(certificate, PeerRole::kClient)) {
    host.library_trusts_until = host.not_after;
  }
  return host;
}

}  // namespace goplugin::internal
