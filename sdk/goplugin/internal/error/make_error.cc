#include "goplugin/internal/error/make_error.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/bounded_details.h"
#include "goplugin/internal/error/reason_table.h"
#include "goplugin/internal/text/utf8.h"
#include "goplugin/wire/error_details.pb.h"

namespace goplugin::internal {
namespace {

// How much of the stderr tail a message repeats; the payload has all of it.
constexpr size_t kTailInMessage = 2048;

void ToWire(const ExitStatus& status, wire::ExitStatus* message) {
  switch (status.kind) {
    case ExitStatus::Kind::kUnknown:
      message->set_kind(wire::ExitStatus::UNKNOWN);
      break;
    case ExitStatus::Kind::kExited:
      message->set_kind(wire::ExitStatus::EXITED);
      break;
    case ExitStatus::Kind::kSignalled:
      message->set_kind(wire::ExitStatus::SIGNALLED);
      break;
  }
  message->set_value(status.value);
  message->set_core_dumped(status.core_dumped);
}

std::string Serialize(const ErrorDetails& details) {
  wire::ErrorDetails message;
  message.set_reason(ReasonName(details.reason));
  message.set_message(details.what);
  message.set_hint(details.hint);
  for (const std::string& fact : details.evidence) message.add_evidence(fact);
  if (details.exit_status.has_value()) {
    ToWire(*details.exit_status, message.mutable_exit_status());
  }
  message.set_panic(details.panic);
  message.set_stderr_tail(details.stderr_tail);
  return message.SerializeAsString();
}

// The last bytes, from the start of a character on where there is one.
absl::string_view LastBytes(absl::string_view text, size_t count) {
  if (text.size() <= count) return text;
  text.remove_prefix(text.size() - count);
  for (int i = 0; i < 3 && (text.front() & 0xC0) == 0x80; ++i) {
    text.remove_prefix(1);
  }
  return text;
}

std::string Message(const ErrorDetails& details) {
  std::string text = details.what;
  for (const std::string& fact : details.evidence) {
    absl::StrAppend(&text, "; ", fact);
  }
  if (details.exit_status.has_value()) {
    absl::StrAppend(&text, "; ", details.exit_status->ToString());
  }
  if (!details.hint.empty()) absl::StrAppend(&text, "; hint: ", details.hint);
  if (!details.stderr_tail.empty()) {
    absl::StrAppend(&text, "; last stderr:\n",
                    LastBytes(details.stderr_tail, kTailInMessage));
  }
  // Escaping makes it longer.
  return WithoutMiddle(EscapeInvalidUtf8(text), kMaxMessageBytes);
}

}  // namespace

absl::Status MakeError(const ErrorDetails& details) {
  const ErrorDetails bounded = Bounded(details);
  absl::Status status(ReasonCode(bounded.reason), Message(bounded));
  status.SetPayload(kErrorDetailsUrl, absl::Cord(Serialize(bounded)));
  return status;
}

absl::Status MakeError(Reason reason, std::string what, std::string hint) {
  ErrorDetails details;
  details.reason = reason;
  details.what = std::move(what);
  details.hint = std::move(hint);
  return MakeError(details);
}

std::string Quote(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) {
    return absl::StrCat("\"", absl::CHexEscape(text), "\"");
  }
  const size_t half = max_bytes / 2;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, half)), "\" ... ",
                      text.size() - 2 * half, " bytes left out ... \"",
                      absl::CHexEscape(text.substr(text.size() - half)), "\"");
}

}  // namespace goplugin::internal
