#include "goplugin/internal/error/reason_table.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"

namespace goplugin::internal {
namespace {

using Code = absl::StatusCode;

constexpr ReasonRow kRows[] = {
    {"unknown", Reason::kUnknown, Code::kUnknown},
    {"options", Reason::kOptions, Code::kInvalidArgument},
    {"spawn", Reason::kSpawn, Code::kFailedPrecondition},
    {"exited_early", Reason::kExitedEarly, Code::kUnavailable},
    {"handshake_timeout", Reason::kHandshakeTimeout, Code::kDeadlineExceeded},
    {"handshake_malformed", Reason::kHandshakeMalformed,
     Code::kFailedPrecondition},
    {"core_version", Reason::kCoreVersion, Code::kFailedPrecondition},
    {"app_version", Reason::kAppVersion, Code::kFailedPrecondition},
    {"transport", Reason::kTransport, Code::kFailedPrecondition},
    {"protocol", Reason::kProtocol, Code::kUnimplemented},
    {"server_certificate", Reason::kServerCertificate, Code::kUnauthenticated},
    {"tls", Reason::kTls, Code::kUnauthenticated},
    {"connect", Reason::kConnect, Code::kUnavailable},
    {"mux_unsupported", Reason::kMuxUnsupported, Code::kUnimplemented},
    {"checksum", Reason::kChecksum, Code::kDataLoss},
    {"reattach_not_found", Reason::kReattachNotFound, Code::kNotFound},
    {"broker_timeout", Reason::kBrokerTimeout, Code::kDeadlineExceeded},
    {"broker_unsupported", Reason::kBrokerUnsupported, Code::kUnimplemented},
    {"shut_down", Reason::kShutDown, Code::kCancelled},
    {"shutdown_forced", Reason::kShutdownForced, Code::kAborted},
    {"crashed", Reason::kCrashed, Code::kUnavailable},
    {"cancelled", Reason::kCancelled, Code::kCancelled},
    {"wrong_thread", Reason::kWrongThread, Code::kFailedPrecondition},
    {"forked", Reason::kForked, Code::kFailedPrecondition},
    {"timeout", Reason::kTimeout, Code::kDeadlineExceeded},
    {"no_process_control", Reason::kNoProcessControl,
     Code::kFailedPrecondition},
    {"resources", Reason::kResources, Code::kResourceExhausted},
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

Reason ReasonFromCode(absl::StatusCode code) {
  Reason found = Reason::kUnknown;
  for (const ReasonRow& row : kRows) {
    if (row.code != code) continue;
    if (found != Reason::kUnknown) return Reason::kUnknown;
    found = row.reason;
  }
  return found;
}

}  // namespace goplugin::internal
