#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_HANDSHAKE_RESPONSE_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_HANDSHAKE_RESPONSE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// The only version of the line's own format.
inline constexpr uint32_t kCoreProtocolVersion = 1;

enum class Protocol { kGrpc, kNetRpc };

// The line with which a plugin says where and how it serves:
//   CORE|APP|NETWORK|ADDRESS|PROTOCOL|CERTIFICATE|MULTIPLEX
struct HandshakeResponse {
  uint32_t core_version = kCoreProtocolVersion;
  // One of the versions the host offered.
  uint32_t app_version = 0;
  // In this library's spelling: see Canonical.
  Endpoint endpoint;
  // Parsed responses are always kGrpc.
  Protocol protocol = Protocol::kGrpc;
  // The plugin's certificate, DER as the line had it: not looked into here. ""
  // when the line holds none.
  std::string certificate_der;
  // Unset when the line has no seventh field.
  absl::optional<bool> multiplex;
  // The line without the white space around it. Not read by
  // FormatHandshakeLine.
  std::string raw_line;
};

// What the host accepts.
struct HandshakePolicy {
  std::vector<uint32_t> protocol_versions;
  std::vector<Endpoint::Network> networks;
  // Whether PLUGIN_MULTIPLEX_GRPC was set. If it was not, a seventh field that
  // is no boolean is ignored, as a Go host does; if it was, it is an error.
  bool multiplex_requested = false;
};

// Understands one line, given without its newline; white space around it is
// ignored. 4 to 7 fields are read, more are ignored.
//
// Errors, each with the line as evidence, in the order of the fields:
//   kHandshakeMalformed  fewer than 4 fields, or a version that is no number
//   kCoreVersion         another core version than 1
//   kAppVersion          a version the host did not offer
//   kTransport           a network or address that can't be used, or is not
//                        allowed
//   kProtocol            net/rpc (also: 4 fields only), or an unknown word
//   kServerCertificate   a sixth field that is not base64
absl::StatusOr<HandshakeResponse> ParseHandshakeLine(
    absl::string_view line, const HandshakePolicy& policy);

// What a line is, at a small part of the cost of an error.
enum class LineVerdict {
  kUsable,   // ParseHandshakeLine takes it
  kRefused,  // it makes sense as a plugin's line, but not for this host:
             // another application version, net/rpc, a network that is not
             // allowed, a certificate that is not base64; or only another core
             // version
  kOdd,      // it may be anything
};
LineVerdict JudgeHandshakeLine(absl::string_view line,
                               const HandshakePolicy& policy);

// The words that Go's strconv.ParseBool knows, for others nullopt.
absl::optional<bool> ParseGoBool(absl::string_view word);

// The line for `response`, without a newline: six fields, or seven when
// `multiplex` is set. The certificate is written in base64 without padding,
// which is all that a Go host reads.
std::string FormatHandshakeLine(const HandshakeResponse& response);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_HANDSHAKE_RESPONSE_H_
