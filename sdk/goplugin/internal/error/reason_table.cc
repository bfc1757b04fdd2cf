#include "goplugin/internal/error/reason_table.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"

namespace goplugin::internal {
namespace {

using Code = absl::StatusCode;

constexpr ReasonRow kRows[] = {
    {Reason::kUnknown, "unknown", Code::kUnknown},
    {Reason::kOptions, "options", Code::kInvalidArgument},
    {Reason::kSpawn, "spawn", Code::kFailedPrecondition},
    {Reason::kExitedEarly, "exited_early", Code::kUnavailable},
    {Reason::kHandshakeTimeout, "handshake_timeout", Code::kDeadlineExceeded},
    {Reason::kHandshakeMalformed, "handshake_malformed",
     Code::kFailedPrecondition},
    {Reason::kCoreVersion, "core_version", Code::kFailedPrecondition},
    {Reason::kAppVersion, "app_version", Code::kFailedPrecondition},
    {Reason::kTransport, "transport", Code::kFailedPrecondition},
    {Reason::kProtocol, "protocol", Code::kUnimplemented},
    {Reason::kServerCertificate, "server_certificate", Code::kUnauthenticated},
    {Reason::kTls, "tls", Code::kUnauthenticated},
    {Reason::kConnect, "connect", Code::kUnavailable},
    {Reason::kMuxUnsupported, "mux_unsupported", Code::kUnimplemented},
    {Reason::kChecksum, "checksum", Code::kDataLoss},
    {Reason::kReattachNotFound, "reattach_not_found", Code::kNotFound},
    {Reason::kBrokerTimeout, "broker_timeout", Code::kDeadlineExceeded},
    {Reason::kShutDown, "shut_down", Code::kCancelled},
    {Reason::kShutdownForced, "shutdown_forced", Code::kAborted},
    {Reason::kCrashed, "crashed", Code::kUnavailable},
    {Reason::kCancelled, "cancelled", Code::kCancelled},
    {Reason::kWrongThread, "wrong_thread", Code::kFailedPrecondition},
    {Reason::kForked, "forked", Code::kFailedPrecondition},
    {Reason::kTimeout, "timeout", Code::kDeadlineExceeded},
};

}  // namespace

const ReasonRow& FindReason(Reason reason) {
  for (const ReasonRow& row : kRows) {
    if (row.reason == reason) return row;
  }
  return kRows[0];
}

Reason ReasonFromName(absl::string_view name) {
  for (const ReasonRow& row : kRows) {
    if (row.name == name) return row.reason;
  }
  return Reason::kUnknown;
}

}  // namespace goplugin::internal
