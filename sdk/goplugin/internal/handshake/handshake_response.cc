#include "goplugin/internal/handshake/handshake_response.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/address.h"
#include "goplugin/internal/handshake/spelling.h"
#include "goplugin/internal/handshake/versions.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMinFields = 4;
// The seventh field is the last one read; what follows it stays in one piece.
constexpr int kMaxSplits = 7;
// Older plugins put other data into the sixth field; no certificate is as short
// as that.
constexpr size_t kLongestNonCertificate = 50;

constexpr absl::string_view kGrpcWord = "grpc";
constexpr absl::string_view kNetRpcWord = "netrpc";

// One line on its way to a response.
struct Line {
  absl::string_view text;
  std::vector<absl::string_view> fields;
  const HandshakePolicy& policy;

  // The field as written, "" for one that is not there.
  absl::string_view Field(size_t index) const {
    return index < fields.size() ? fields[index] : absl::string_view();
  }
};

absl::Status LineError(const Line& line, Reason reason, std::string what,
                       std::string hint) {
  ErrorDetails details;
  details.reason = reason;
  details.what = std::move(what);
  details.evidence = {absl::StrCat("handshake line: ", Quote(line.text))};
  details.hint = std::move(hint);
  return MakeError(details);
}

bool ReadCoreVersion(const Line& line, HandshakeResponse& response) {
  response.core_version = kCoreProtocolVersion;
  return ParseVersion(line.Field(0)) == kCoreProtocolVersion;
}

absl::Status ExplainCoreVersion(const Line& line) {
  const absl::string_view field = line.Field(0);
  if (!IsDigits(field)) {
    return LineError(
        line, Reason::kHandshakeMalformed,
        absl::StrCat("The core protocol version ", Quote(field, 32),
                     " in the plugin's handshake line is not a number"),
        "Check that the program is a go-plugin plugin, and that nothing else "
        "writes to its stdout.");
  }
  return LineError(
      line, Reason::kCoreVersion,
      absl::StrCat("The plugin speaks core protocol version ", Quote(field, 32),
                   ", this host speaks version ", kCoreProtocolVersion),
      "Use a plugin built with a go-plugin library of core protocol version 1 "
      "(PLUGIN_CORE_VERSION in the plugin's environment changes what some "
      "plugins print).");
}

bool ReadAppVersion(const Line& line, HandshakeResponse& response) {
  const auto version = ParseVersion(line.Field(1));
  const std::vector<uint32_t>& offered = line.policy.protocol_versions;
  if (!version ||
      std::find(offered.begin(), offered.end(), *version) == offered.end()) {
    return false;
  }
  response.app_version = *version;
  return true;
}

absl::Status ExplainAppVersion(const Line& line) {
  const absl::string_view field = line.Field(1);
  const auto version = ParseVersion(field);
  if (!version) {
    return LineError(
        line, Reason::kHandshakeMalformed,
        absl::StrCat("The application protocol version ", Quote(field, 32),
                     " in the plugin's handshake line is not a number below "
                     "2^32"),
        "Check that the program is a go-plugin plugin, and that nothing else "
        "writes to its stdout.");
  }
  const std::string set = FormatVersionSet(line.policy.protocol_versions);
  return LineError(
      line, Reason::kAppVersion,
      absl::StrCat("The plugin answered with application protocol version ",
                   *version, ", the host offered ", set),
      absl::StrCat(
          "The host offers ", set, ", the plugin {", *version,
          "} (its lowest, when they have none in common): add a version the "
          "plugin supports to handshake.protocol_versions, or use a plugin "
          "built for one of the host's."));
}

absl::optional<Endpoint::Network> ParseNetwork(absl::string_view word) {
  for (const auto network :
       {Endpoint::Network::kUnix, Endpoint::Network::kTcp}) {
    if (word == NetworkName(network)) return network;
  }
  return absl::nullopt;
}

std::string FormatNetworks(const std::vector<Endpoint::Network>& networks) {
  const auto name = [](std::string* out, Endpoint::Network network) {
    out->append(NetworkName(network));
  };
  return networks.empty() ? "none" : absl::StrJoin(networks, ", ", name);
}

bool ReadNetwork(const Line& line, HandshakeResponse& response) {
  const auto network = ParseNetwork(line.Field(2));
  const auto& allowed = line.policy.networks;
  if (!network ||
      std::find(allowed.begin(), allowed.end(), *network) == allowed.end()) {
    return false;
  }
  response.endpoint.network = *network;
  return true;
}

absl::Status ExplainNetwork(const Line& line) {
  const auto network = ParseNetwork(line.Field(2));
  if (!network) {
    return LineError(line, Reason::kTransport,
                     absl::StrCat("The plugin serves on the unknown network ",
                                  Quote(line.Field(2), 32)),
                     "This host connects to plugins on unix and tcp.");
  }
  return LineError(
      line, Reason::kTransport,
      absl::StrCat("The plugin serves on ", NetworkName(*network),
                   ", which the host does not allow"),
      absl::StrCat("The host allows: ", FormatNetworks(line.policy.networks),
                   ". Allow ", NetworkName(*network),
                   " in ClientOptions::networks, or make the plugin serve on "
                   "an allowed network."));
}

Endpoint EndpointOf(const Line& line) {
  const auto network = ParseNetwork(line.Field(2));
  return Canonical(Endpoint{network.value_or(Endpoint::Network::kUnix),
                            std::string(line.Field(3))});
}

bool ReadAddress(const Line& line, HandshakeResponse& response) {
  response.endpoint.address = EndpointOf(line).address;
  return !CheckAddress(EndpointOf(line));
}

absl::Status ExplainAddress(const Line& line) {
  AddressProblem problem = *CheckAddress(EndpointOf(line));
  return LineError(
      line, Reason::kTransport,
      absl::StrCat("The plugin's endpoint can't be used: ", problem.what),
      std::move(problem.hint));
}

// A line that names no protocol means net/rpc.
bool SpeaksNetRpc(const Line& line) {
  return line.fields.size() == kMinFields || line.Field(4) == kNetRpcWord;
}

bool ReadProtocol(const Line& line, HandshakeResponse& response) {
  response.protocol = Protocol::kGrpc;
  return line.Field(4) == kGrpcWord;
}

absl::Status ExplainProtocol(const Line& line) {
  if (SpeaksNetRpc(line)) {
    return LineError(
        line, Reason::kProtocol,
        line.fields.size() == kMinFields
            ? "The plugin speaks net/rpc (its line names no protocol, which "
              "means that), not gRPC"
            : "The plugin speaks net/rpc, not gRPC",
        "Turn gRPC on in the plugin: set GRPCServer to "
        "plugin.DefaultGRPCServer in its plugin.ServeConfig, and let its "
        "plugins implement plugin.GRPCPlugin.");
  }
  return LineError(line, Reason::kProtocol,
                   absl::StrCat("The plugin speaks the unknown protocol ",
                                Quote(line.Field(4), 32)),
                   "This host speaks grpc; the plugin must serve with it.");
}

// Stricter than Base64Unescape, which skips white space and takes '.' for '='.
bool DecodeBase64(absl::string_view text, std::string& out) {
  absl::string_view digits = text;
  for (int i = 0; i < 2 && !digits.empty() && digits.back() == '='; ++i) {
    digits.remove_suffix(1);
  }
  const bool padded = digits.size() != text.size();
  if (padded && text.size() % 4 != 0) return false;
  const bool clean =
      std::all_of(digits.begin(), digits.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '+' || c == '/';
      });
  return clean && absl::Base64Unescape(digits, &out);
}

bool ReadCertificate(const Line& line, HandshakeResponse& response) {
  const absl::string_view field = line.Field(5);
  return field.size() <= kLongestNonCertificate ||
         DecodeBase64(field, response.certificate_der);
}

absl::Status ExplainCertificate(const Line& line) {
  return LineError(
      line, Reason::kServerCertificate,
      absl::StrCat("The certificate in the plugin's handshake line (",
                   line.Field(5).size(), " characters) is not base64"),
      "The sixth field must hold the plugin's certificate as DER in standard "
      "base64 on one line, or nothing when the plugin serves without TLS.");
}

}  // namespace

absl::optional<bool> ParseGoBool(absl::string_view word) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (word == no) return false;
  }
  return absl::nullopt;
}

namespace {

bool ReadMultiplex(const Line& line, HandshakeResponse& response) {
  const absl::string_view field = line.Field(6);
  response.multiplex = ParseGoBool(field);
  return response.multiplex || field.empty() ||
         !line.policy.multiplex_requested;
}

absl::Status ExplainMultiplex(const Line& line) {
  return LineError(
      line, Reason::kHandshakeMalformed,
      absl::StrCat("The multiplexing field ", Quote(line.Field(6), 32),
                   " in the plugin's handshake line is neither true nor false"),
      "Turn multiplexing off in the client's options, or make the plugin print "
      "true or false there.");
}

// The fields in their order. Explaining costs a thousand times more than
// reading: a plugin may write lines without end that are nearly right.
struct FieldStep {
  bool (*read)(const Line& line, HandshakeResponse& response);
  absl::Status (*explain)(const Line& line);
};
constexpr FieldStep kSteps[] = {{ReadCoreVersion, ExplainCoreVersion},
                                {ReadAppVersion, ExplainAppVersion},
                                {ReadNetwork, ExplainNetwork},
                                {ReadAddress, ExplainAddress},
                                {ReadProtocol, ExplainProtocol},
                                {ReadCertificate, ExplainCertificate},
                                {ReadMultiplex, ExplainMultiplex}};

Line SplitLine(absl::string_view text, const HandshakePolicy& policy) {
  return Line{text, absl::StrSplit(text, absl::MaxSplits('|', kMaxSplits)),
              policy};
}

}  // namespace

absl::StatusOr<HandshakeResponse> ParseHandshakeLine(
    absl::string_view line, const HandshakePolicy& policy) {
  const Line parts = SplitLine(absl::StripAsciiWhitespace(line), policy);
  if (parts.fields.size() < kMinFields) {
    return LineError(
        parts, Reason::kHandshakeMalformed,
        absl::StrCat("The plugin's handshake line has ", parts.fields.size(),
                     " of at least ", kMinFields, " fields"),
        "Check that the program is a go-plugin plugin, and that nothing else "
        "writes to its stdout.");
  }
  HandshakeResponse response;
  for (const FieldStep& step : kSteps) {
    if (!step.read(parts, response)) return step.explain(parts);
  }
  response.raw_line = std::string(parts.text);
  return response;
}

LineVerdict JudgeHandshakeLine(absl::string_view line,
                               const HandshakePolicy& policy) {
  line = absl::StripAsciiWhitespace(line);
  if (std::count(line.begin(), line.end(), '|') + 1 < int{kMinFields}) {
    return LineVerdict::kOdd;
  }
  const Line parts = SplitLine(line, policy);
  HandshakeResponse unused;
  const bool core = ReadCoreVersion(parts, unused);
  const bool app = ReadAppVersion(parts, unused);
  const bool network = ReadNetwork(parts, unused);
  const bool protocol = ReadProtocol(parts, unused);
  const bool certificate = ReadCertificate(parts, unused);
  const bool usable = app && network && protocol && certificate;
  const bool makes_sense =
      ParseVersion(parts.Field(1)) && ParseNetwork(parts.Field(2)) &&
      (protocol || SpeaksNetRpc(parts)) && ReadAddress(parts, unused) &&
      ReadMultiplex(parts, unused);
  if (!makes_sense) return LineVerdict::kOdd;
  if (core) return usable ? LineVerdict::kUsable : LineVerdict::kRefused;
  return usable && IsDigits(parts.Field(0)) ? LineVerdict::kRefused
                                            : LineVerdict::kOdd;
}

std::string FormatHandshakeLine(const HandshakeResponse& response) {
  std::string certificate = absl::Base64Escape(response.certificate_der);
  certificate.erase(certificate.find_last_not_of('=') + 1);
  std::string line = absl::StrCat(
      response.core_version, "|", response.app_version, "|",
      NetworkName(response.endpoint.network), "|", response.endpoint.address,
      "|", response.protocol == Protocol::kGrpc ? kGrpcWord : kNetRpcWord, "|",
      certificate);
  if (response.multiplex) {
    absl::StrAppend(&line, *response.multiplex ? "|true" : "|false");
  }
  return line;
}

}  // namespace goplugin::internal
