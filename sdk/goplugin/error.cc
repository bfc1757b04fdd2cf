#include "goplugin/error.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/internal/error/message_layout.h"
#include "goplugin/internal/error/reason_table.h"
#include "goplugin/internal/text/terminal.h"
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

// All that does not depend on the message.
ErrorDetails FromWire(const wire::ErrorDetails& payload) {
  ErrorDetails details;
  details.reason = internal::ReasonFromName(payload.reason());
  details.what = payload.message();
  details.hint = payload.hint();
  details.evidence.assign(payload.evidence().begin(), payload.evidence().end());
  if (payload.has_exit_status()) {
    details.exit_status = FromWire(payload.exit_status());
  }
  details.panic = payload.panic();
  details.stderr_tail = payload.stderr_tail();
  return details;
}

// The parts of a message, taken from its start.
class Parts {
 public:
  explicit Parts(absl::string_view message) : rest_(message) {}

  std::string Take(absl::string_view lead, std::size_t size) {
    rest_.remove_prefix(lead.size());
    const absl::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return std::string(part);
  }
  std::string TakeIfAny(absl::string_view lead, std::size_t size) {
    return size == 0 ? "" : Take(lead, size);
  }

 private:
  absl::string_view rest_;
};

std::uint64_t SizeOf(const wire::MessageLayout& layout) {
  const auto with = [](absl::string_view lead, std::uint64_t size) {
    return size == 0 ? 0 : lead.size() + size;
  };
  std::uint64_t size = layout.what() +
                       with(internal::kHintLead, layout.hint()) +
                       with(internal::kFactLead, layout.exit_status()) +
                       with(internal::kTailLead, layout.stderr_tail());
  for (const std::uint32_t fact : layout.evidence()) {
    size += internal::kFactLead.size() + fact;
  }
  return size;
}

// The message as it was made: others may have put something before or behind
// it.
absl::optional<absl::string_view> FindMessage(
    absl::string_view text, const wire::MessageLayout& layout) {
  const std::uint64_t size = SizeOf(layout);
  if (size > text.size()) return absl::nullopt;
  for (const absl::string_view found :
       {text.substr(text.size() - size), text.substr(0, size)}) {
    if (internal::MessageChecksum(found) == layout.checksum()) return found;
  }
  return absl::nullopt;
}

void TakeTexts(absl::string_view message, const wire::MessageLayout& layout,
               ErrorDetails& details) {
  Parts parts(message);
  details.what = parts.Take("", layout.what());
  details.hint = parts.TakeIfAny(internal::kHintLead, layout.hint());
  for (const std::uint32_t fact : layout.evidence()) {
    details.evidence.push_back(parts.Take(internal::kFactLead, fact));
  }
  parts.TakeIfAny(internal::kFactLead, layout.exit_status());
  details.stderr_tail +=
      parts.TakeIfAny(internal::kTailLead, layout.stderr_tail());
  if (layout.panic_start() < details.stderr_tail.size()) {
    details.panic +=
        details.stderr_tail.substr(layout.panic_start(), layout.panic_size());
  }
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
  wire::ErrorDetails remainder;
  // One that was changed on its way.
  if (!remainder.ParseFromString(std::string(*payload))) {
    return FromStatus(status);
  }
  ErrorDetails details = FromWire(remainder);
  if (!remainder.has_layout()) return details;
  const absl::optional<absl::string_view> message =
      FindMessage(status.message(), remainder.layout());
  if (message.has_value()) {
    TakeTexts(*message, remainder.layout(), details);
  } else {
    details.what = std::string(status.message());
  }
  return details;
}

std::string ToString(const absl::Status& status) {
  absl::Status shown = status;
  shown.ErasePayload(internal::kErrorDetailsUrl);
  return internal::EscapeControlCharacters(shown.ToString(), "\t\n");
}

}  // namespace goplugin
