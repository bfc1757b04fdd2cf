#include "goplugin/error.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/types/optional.h"
#include "goplugin/internal/error/reason_table.h"
#include "goplugin/wire/error_details.pb.h"

namespace goplugin {
namespace {

ExitStatus FromWire(const wire::ExitStatus& message) {
  ExitStatus status;
  switch (message.kind()) {
    case wire::ExitStatus::EXITED:
      status.kind = ExitStatus::Kind::kExited;
      break;
    case wire::ExitStatus::SIGNALLED:
      status.kind = ExitStatus::Kind::kSignalled;
      break;
    default:
      break;
  }
  status.value = message.value();
  status.core_dumped = message.core_dumped();
  return status;
}

}  // namespace

const char* ReasonName(Reason reason) {
  return internal::FindReason(reason).name;
}

absl::StatusCode ReasonCode(Reason reason) {
  return internal::FindReason(reason).code;
}

absl::optional<ErrorDetails> GetErrorDetails(const absl::Status& status) {
  absl::optional<absl::Cord> payload =
      status.GetPayload(internal::kErrorDetailsUrl);
  wire::ErrorDetails message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) {
    return absl::nullopt;
  }
  ErrorDetails details;
  details.reason = internal::ReasonFromName(message.reason());
  details.what = message.message();
  details.hint = message.hint();
  details.evidence.assign(message.evidence().begin(), message.evidence().end());
  if (message.has_exit_status()) {
    details.exit_status = FromWire(message.exit_status());
  }
  details.panic = message.panic();
  details.stderr_tail = message.stderr_tail();
  return details;
}

}  // namespace goplugin
