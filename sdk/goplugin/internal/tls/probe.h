#ifndef GOPLUGIN_INTERNAL_TLS_PROBE_H_
#define GOPLUGIN_INTERNAL_TLS_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/tls/handshake.h"

namespace goplugin::internal {

// What a server said to a TLS ClientHello.
struct WireKind {
  enum class Kind {
    kTls,      // a TLS record: handshake or alert
    kHttp2,    // SETTINGS or GOAWAY in clear: a gRPC server without TLS
    kHttp1,    // "HTTP/1.": a web server, or Go's answer on the wrong port
    kSilent,   // nothing within the timeout
    kClosed,   // the connection ended without a byte
    kUnknown,  // something else: see first_bytes
  };

  Kind kind = Kind::kUnknown;
  // What came, at most 64 bytes. Empty for kSilent and kClosed.
  std::string first_bytes = {};
  // With kTls, where somebody is trusted: how far the handshake went.
  HandshakeResult handshake = HandshakeResult::kUnfinished;

  // For an error's evidence: "TLS", "HTTP/2 without TLS", "bytes \"\\001x\"".
  std::string ToString() const;
};

// Tells the kinds apart by their first bytes. Pure. A true prefix of a kind
// that needs more bytes to be sure is kUnknown; no bytes at all are kClosed.
WireKind ClassifyFirstBytes(absl::string_view bytes);

// Connects to `endpoint`, sends the ClientHello of `client` and classifies the
// answer; where `client` trusts somebody, it goes on with the handshake.
//
// Only for a diagnosis, after a connection has failed: the server sees a broken
// connection, and a multiplexing plugin, which takes one connection, must never
// be probed. Blocks for at most `timeout` (monotonic; more than 10 s is 10 s).
// Names other than "localhost" are not resolved, because that can't be bounded.
//
// Errors: kConnect with the system's words (refused: nobody listens there;
// no such file: the socket is gone).
absl::StatusOr<WireKind> ProbeEndpoint(const Endpoint& endpoint,
                                       absl::Duration timeout,
                                       const TlsClient& client = {});

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TLS_PROBE_H_
