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

ErrorDetails FromWire(const wire::ErrorDetails& message) {
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

// What the status alone tells.
ErrorDetails FromStatus(const absl::Status& status) {
  ErrorDetails details;
  details.reason = internal::ReasonFromCode(status.code());
  details.what = std::string(status.message());
  return details;
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
  if (!payload.has_value()) return absl::nullopt;
  wire::ErrorDetails message;
  // One that was changed on its way.
  if (!message.ParseFromString(std::string(*payload))) {
    return FromStatus(status);
  }
  return FromWire(message);
}

}  // namespace goplugin
