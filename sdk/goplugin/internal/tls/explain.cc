#include "goplugin/internal/tls/explain.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/handshake.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {
namespace {

enum class Cause {
  kNone,
  kServerIsPlain,
  kServerIsTls,
  kVerifyFailed,
  kWrongName,
  kNoHttp2,
  kWrongCurve,
  kRefusedUs,
  kNothingInCommon,
  kOther,
};

struct Clue {
  const char* text;  // lower case, spaces for underscores
  Cause cause;
};

// What gRPC says, with OpenSSL and with BoringSSL. The first match counts: the
// general ones come last.
constexpr Clue kClues[] = {
    {"wrong version number", Cause::kServerIsPlain},
    {"http request", Cause::kServerIsPlain},
    {"hostname mismatch", Cause::kWrongName},
    {"certificate verify failed", Cause::kVerifyFailed},
    // The first error that OpenSSL has for a root with the issuer's name and
    // another key: of the signature, ECDSA or RSA, to 3.5 and from 3.6 on.
    {"certificate signature failure", Cause::kVerifyFailed},
    {"asn1 encoding routines", Cause::kVerifyFailed},
    {"rsa routines", Cause::kVerifyFailed},
    {"is not in peer certificate", Cause::kWrongName},
    {"hostname verification", Cause::kWrongName},
    {"missing selected alpn", Cause::kNoHttp2},
    {"no application protocol", Cause::kNoHttp2},
    {"wrong curve", Cause::kWrongCurve},
    {"unknown ca", Cause::kRefusedUs},
    {"alert bad certificate", Cause::kRefusedUs},
    {"alert certificate", Cause::kRefusedUs},
    {"alert unsupported certificate", Cause::kRefusedUs},
    {"alert access denied", Cause::kRefusedUs},
    {"alert handshake failure", Cause::kRefusedUs},
    {"alert protocol version", Cause::kNothingInCommon},
    {"unsupported protocol", Cause::kNothingInCommon},
    {"no shared cipher", Cause::kNothingInCommon},
    {"signature algorithm", Cause::kNothingInCommon},
    {"ssl handshake failed", Cause::kOther},
};

// A server that cuts the connection in the middle of a TLS handshake shows as
// one of these; which, depends on who was faster.
constexpr const char* kCut[] = {"socket closed", "endpoint read failed",
                                "handshake read failed", "connection reset",
                                "broken pipe"};

struct Explanation {
  Cause cause;
  Reason reason;
  const char* what;
  // With the one-time certificates.
  const char* hint_auto;
  // With the caller's own; null: the same.
  const char* hint_manual;
};

constexpr Explanation kExplanations[] = {
    {Cause::kServerIsPlain, Reason::kTls,
     "the plugin serves without TLS, although the host speaks TLS",
     "the plugin announced a certificate and does not use it: turn its TLS on "
     "(a pyvider plugin: PLUGIN_AUTO_MTLS), or do without on both sides with "
     "ClientOptions::tls.mode = TlsMode::kInsecure",
     "turn TLS on in the plugin's server, or do without on both sides with "
     "ClientOptions::tls.mode = TlsMode::kInsecure"},
    {Cause::kServerIsTls, Reason::kTls,
     "the plugin serves TLS, although the host speaks none",
     "the plugin has a TLS setup of its own: trust its certificate with "
     "ClientOptions::tls.mode = TlsMode::kManual and tls.root_certificates, or "
     "turn it off in the plugin; a plugin that can do AutoMTLS needs "
     "TlsMode::kAutoMtls or TlsMode::kAutoMtlsIfOffered",
     nullptr},
    {Cause::kVerifyFailed, Reason::kServerCertificate,
     "the plugin's certificate could not be verified",
     "the plugin serves with another certificate than the one in its handshake "
     "line: make it use that one; for a "
     "certificate of its own choose ClientOptions::tls.mode = "
     "TlsMode::kManual and give it in tls.root_certificates",
     "with TlsMode::kManual give the certificate of its issuer in "
     "ClientOptions::tls.root_certificates, and check its dates; for a plugin "
     "that makes a one-time certificate choose TlsMode::kAutoMtls"},
    {Cause::kWrongName, Reason::kServerCertificate,
     "the plugin's certificate is for another name",
     "it needs the DNS name \"localhost\"; for a certificate of its own choose "
     "ClientOptions::tls.mode = TlsMode::kManual, with its name in "
     "tls.server_name",
     "with TlsMode::kManual give the name that is in the plugin's certificate "
     "in ClientOptions::tls.server_name"},
    {Cause::kNoHttp2, Reason::kTls,
     "the plugin's TLS server does not offer HTTP/2",
     "its TLS must offer \"h2\" by ALPN (in Go: tls.Config.NextProtos; gRPC's "
     "own credentials do it), or serve without TLS, for "
     "ClientOptions::tls.mode = TlsMode::kInsecure",
     nullptr},
    {Cause::kWrongCurve, Reason::kServerCertificate,
     "the key of the plugin's certificate can't be used in TLS 1.2",
     "allow TLS 1.3 in the plugin, or give it a certificate with a P-256 key; "
     "then TlsMode::kAutoMtls and TlsMode::kManual both work",
     nullptr},
    {Cause::kRefusedUs, Reason::kTls,
     "the plugin ended the TLS handshake, most likely because it does not "
     "trust the host's certificate",
     "see the plugin's log; it must trust the certificate in "
     "PLUGIN_CLIENT_CERT; if it trusts others, choose ClientOptions::tls.mode "
     "= TlsMode::kManual, with tls.certificate_chain and tls.private_key",
     "see the plugin's log; with TlsMode::kManual give a certificate that the "
     "plugin trusts in ClientOptions::tls.certificate_chain and "
     "tls.private_key; a plugin that trusts PLUGIN_CLIENT_CERT needs "
     "TlsMode::kAutoMtls"},
    {Cause::kNothingInCommon, Reason::kTls,
     "plugin and host have no TLS version or algorithm in common",
     "the plugin must allow TLS 1.2 or 1.3 and have an ECDSA P-256 or RSA 2048 "
     "key; then TlsMode::kAutoMtls and TlsMode::kManual both work",
     nullptr},
    {Cause::kOther, Reason::kTls, "the TLS handshake with the plugin failed",
     "see the plugin's log; to find out whether TLS is at fault, run plugin "
     "and host once with ClientOptions::tls.mode = TlsMode::kInsecure",
     nullptr},
};

const Explanation* FindExplanation(Cause cause) {
  for (const Explanation& explanation : kExplanations) {
    if (explanation.cause == cause) return &explanation;
  }
  return nullptr;
}

// "CERTIFICATE_VERIFY_FAILED" (BoringSSL) and "certificate verify failed".
std::string Normalized(absl::string_view text) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(text), {{"_", " "}});
}

Cause FromText(absl::string_view message) {
  const std::string text = Normalized(message);
  for (const Clue& clue : kClues) {
    if (absl::StrContains(text, clue.text)) return clue.cause;
  }
  return Cause::kNone;
}

bool WasCut(absl::string_view message) {
  const std::string text = Normalized(message);
  return std::any_of(
      std::begin(kCut), std::end(kCut),
      [&text](const char* cut) { return absl::StrContains(text, cut); });
}

Cause FromHandshake(HandshakeResult result) {
  switch (result) {
    case HandshakeResult::kUnfinished:
    case HandshakeResult::kAccepted:
      return Cause::kNone;
    case HandshakeResult::kUntrusted:
      return Cause::kVerifyFailed;
    case HandshakeResult::kWrongName:
      return Cause::kWrongName;
    case HandshakeResult::kNoHttp2:
      return Cause::kNoHttp2;
    case HandshakeResult::kRefusedUs:
      return Cause::kRefusedUs;
    case HandshakeResult::kNothingInCommon:
      return Cause::kNothingInCommon;
    case HandshakeResult::kOther:
      break;
  }
  return Cause::kOther;
}

// What the probe has met counts; gRPC's words, where it has met nothing.
Cause FindCause(absl::string_view message, bool tls_used,
                const absl::optional<WireKind>& probed) {
  const bool sees_tls =
      probed.has_value() && probed->kind == WireKind::Kind::kTls;
  if (!tls_used) return sees_tls ? Cause::kServerIsTls : Cause::kNone;
  if (probed.has_value() && (probed->kind == WireKind::Kind::kHttp2 ||
                             probed->kind == WireKind::Kind::kHttp1)) {
    return Cause::kServerIsPlain;
  }
  const Cause met =
      probed.has_value() ? FromHandshake(probed->handshake) : Cause::kNone;
  if (met != Cause::kNone) return met;
  const Cause cause = FromText(message);
  if (cause != Cause::kNone) return cause;
  return sees_tls && WasCut(message) ? Cause::kRefusedUs : Cause::kNone;
}

std::string Describe(const PeerCertificate& certificate) {
  const auto utc = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
  };
  return absl::StrCat("the announced certificate has an ",
                      certificate.key_description, " key, the DNS names [",
                      absl::StrJoin(certificate.dns_names, ", "),
                      "], and is valid from ", utc(certificate.not_before),
                      " to ", utc(certificate.not_after));
}

}  // namespace

absl::Status ExplainTlsFailure(const std::string& grpc_error_message,
                               bool tls_used,
                               const absl::optional<WireKind>& probed,
                               const PeerCertificate* announced) {
  const Explanation* explanation =
      FindExplanation(FindCause(grpc_error_message, tls_used, probed));
  if (explanation == nullptr) return absl::OkStatus();
  ErrorDetails details;
  details.reason = explanation->reason;
  details.what = explanation->what;
  details.evidence.push_back(
      absl::StrCat("gRPC says ", Quote(grpc_error_message)));
  if (probed.has_value()) {
    details.evidence.push_back(absl::StrCat(
        "a TLS ClientHello was answered with ", probed->ToString()));
  }
  if (announced != nullptr) details.evidence.push_back(Describe(*announced));
  const bool manual =
      announced == nullptr && explanation->hint_manual != nullptr;
  details.hint = manual ? explanation->hint_manual : explanation->hint_auto;
  return MakeError(details);
}

}  // namespace goplugin::internal
