#ifndef GOPLUGIN_ERROR_H_
#define GOPLUGIN_ERROR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "goplugin/exit_status.h"

namespace goplugin {

// What went wrong, for programs. The stage that failed gives the reason its
// name.
enum class Reason {
  kUnknown = 0,
  kOptions,      // options or command that can't work, seen before anything was
                 // started
  kSpawn,        // the program could not be started
  kExitedEarly,  // the plugin ended, or closed stdout, before it was ready
  kHandshakeTimeout,    // no handshake line within the start timeout
  kHandshakeMalformed,  // a line that is no handshake line, or a field that
                        // makes no sense
  kCoreVersion,         // the plugin speaks another core protocol
  kAppVersion,          // no application version in common
  kTransport,           // a network or address that can't be used
  kProtocol,            // the plugin speaks net/rpc, not gRPC
  kServerCertificate,   // a certificate that is missing, unasked, unreadable,
                        // expired, weak or misnamed
  kTls,  // the TLS handshake failed, or one side speaks TLS and the other does
         // not
  kConnect,  // no connection to the announced endpoint, or no readiness on it
  kMuxUnsupported,     // multiplexing was required and the plugin can't
  kChecksum,           // the program is not the one that was asked for
  kReattachNotFound,   // no plugin to reattach to: it is gone, or somebody
                       // else is in its place
  kBrokerTimeout,      // a brokered connection did not come about in time
  kBrokerUnsupported,  // the other side has no broker
  kShutDown,           // the client was shut down, by its own host
  kShutdownForced,     // the plugin is gone, but had to be signalled or killed
  kCrashed,            // the plugin ended unasked after it was ready
  kCancelled,          // the launch was cancelled by the caller
  kWrongThread,        // a blocking call from inside a callback
  kForked,            // the client belongs to the parent of this forked process
  kTimeout,           // the caller's own timeout passed (Ping, WaitForExit)
  kNoProcessControl,  // the plugin's process is not this client's to watch or
                      // to signal: somebody else runs it
  kResources,         // a thread, descriptor or place that the system did not
                      // give, or work that found no free thread in time
};

// The reason's name in lower case with underscores: "exited_early". Stable.
const char* ReasonName(Reason reason);

// The code of a status that carries `reason`.
absl::StatusCode ReasonCode(Reason reason);

// What every status of this library carries besides its code and message. A
// plain value.
//
// The texts are bytes: paths, what the system says in the host's locale and
// what a plugin says come as they were, UTF-8 or not. The status's own
// message() is always valid UTF-8, without NUL: other bytes are written as \xNN
// there.
//
// Bounds: a text has at most 32 KiB, and loses its middle, with a remark in its
// place, when it would have more; there are at most 256 facts with 128 KiB
// together, and the last one tells how many were left out; message() has at
// most 64 KiB.
struct ErrorDetails {
  Reason reason = Reason::kUnknown;
  // What failed, in one sentence.
  std::string what = {};
  // What was seen: the line, the path with its mode and owner, the time waited.
  // One fact each.
  std::vector<std::string> evidence = {};
  // What the caller can do about it.
  std::string hint = {};
  // Set when the process has ended.
  absl::optional<ExitStatus> exit_status = absl::nullopt;
  // The panic or traceback text found in the plugin's stderr, "" when there is
  // none.
  std::string panic = {};
  // The last lines of the plugin's stderr, at most 16 KiB, "" when it wrote
  // nothing. A line that tells more than its text, as hclog's JSON does, reads
  // as ToString(LogEntry) gives it.
  std::string stderr_tail = {};
};

// Reads the details back from a status that this library made; nullopt for any
// other status. Words that somebody put before or behind the message do no
// harm; of another message, or damaged details, the message is left, and the
// reason where it is still known.
//
// Example:
//   absl::optional<goplugin::ErrorDetails> details =
//       goplugin::GetErrorDetails(client.status());
//   const bool too_old =
//       details && details->reason == goplugin::Reason::kAppVersion;
//   if (too_old) OfferUpgrade(details->hint);
absl::optional<ErrorDetails> GetErrorDetails(const absl::Status& status);

// `status` for people: its code and its message, "OK" when it is. A plugin's
// words may be in it: control characters but newlines and tabs are escaped, so
// that they steer no terminal. Printing the status itself escapes nothing, and
// adds the payload in which the rest of the details travel.
//
// Example:
//   std::cerr << goplugin::ToString(client.status()) << "\n";
std::string ToString(const absl::Status& status);

}  // namespace goplugin

#endif  // GOPLUGIN_ERROR_H_
