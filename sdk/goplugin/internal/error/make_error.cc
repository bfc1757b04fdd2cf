#include "goplugin/internal/error/make_error.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/bounded_details.h"
#include "goplugin/internal/error/message_layout.h"
#include "goplugin/internal/error/reason_table.h"
#include "goplugin/internal/text/utf8.h"
#include "goplugin/wire/error_details.pb.h"

namespace goplugin::internal {
namespace {

// How much of the stderr tail a message has; the payload has what is before it.
constexpr size_t kTailInMessage = 2048;

// A certificate in base64: DER of more than 255 bytes begins like this.
constexpr absl::string_view kCertificateStart = "MII";
// Longer than words and most parts of paths.
constexpr size_t kCertificateSize = 100;
constexpr size_t kShownOfCertificate = 16;

// The base64 that `text` begins with.
absl::string_view Base64Of(absl::string_view text) {
  size_t size = 0;
  while (size < text.size() &&
         (absl::ascii_isalnum(static_cast<unsigned char>(text[size])) ||
          text[size] == '+' || text[size] == '/' || text[size] == '=')) {
    ++size;
  }
  return text.substr(0, size);
}

std::string WithShortCertificates(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t start = std::min(text.find(kCertificateStart), text.size());
    absl::StrAppend(&result, text.substr(0, start));
    text.remove_prefix(start);
    const absl::string_view certificate = Base64Of(text);
    if (certificate.size() < kCertificateSize) {
      absl::StrAppend(&result, certificate);
    } else {
      absl::StrAppend(&result, certificate.substr(0, kShownOfCertificate),
                      "...(", certificate.size(), " characters)");
    }
    text.remove_prefix(certificate.size());
  }
  return result;
}

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

// The end of `tail`, from the start of a line on where there is one, else from
// the start of a character.
absl::string_view LastLines(absl::string_view tail, size_t count) {
  if (tail.size() <= count) return tail;
  const bool at_start = tail[tail.size() - count - 1] == '\n';
  tail.remove_prefix(tail.size() - count);
  if (at_start) return tail;
  const size_t newline = tail.find('\n');
  if (newline != absl::string_view::npos) return tail.substr(newline + 1);
  for (int i = 0; i < 3 && (tail.front() & 0xC0) == 0x80; ++i) {
    tail.remove_prefix(1);
  }
  return tail;
}

std::string Message(const ErrorDetails& details, absl::string_view tail,
                    wire::MessageLayout& layout) {
  std::string text = details.what;
  layout.set_what(static_cast<uint32_t>(details.what.size()));
  if (!details.hint.empty()) absl::StrAppend(&text, kHintLead, details.hint);
  layout.set_hint(static_cast<uint32_t>(details.hint.size()));
  for (const std::string& fact : details.evidence) {
    absl::StrAppend(&text, kFactLead, fact);
    layout.add_evidence(static_cast<uint32_t>(fact.size()));
  }
  if (details.exit_status.has_value()) {
    const std::string exit = details.exit_status->ToString();
    absl::StrAppend(&text, kFactLead, exit);
    layout.set_exit_status(static_cast<uint32_t>(exit.size()));
  }
  if (!tail.empty()) absl::StrAppend(&text, kTailLead, tail);
  layout.set_stderr_tail(static_cast<uint32_t>(tail.size()));
  layout.set_checksum(MessageChecksum(text));
  return text;
}

// What the message does not have.
wire::ErrorDetails Remainder(const ErrorDetails& details,
                             absl::string_view tail_in_message,
                             wire::MessageLayout layout) {
  wire::ErrorDetails payload;
  absl::string_view tail = details.stderr_tail;
  const size_t panic = details.panic.empty() ? absl::string_view::npos
                                             : tail.find(details.panic);
  if (panic == absl::string_view::npos) {
    payload.set_panic(details.panic);
  } else {
    layout.set_panic_start(static_cast<uint32_t>(panic));
    layout.set_panic_size(static_cast<uint32_t>(details.panic.size()));
  }
  tail.remove_suffix(tail_in_message.size());
  payload.set_stderr_tail(std::string(tail));
  *payload.mutable_layout() = std::move(layout);
  return payload;
}

// For a message that had to be changed.
wire::ErrorDetails Whole(const ErrorDetails& details) {
  wire::ErrorDetails payload;
  payload.set_message(details.what);
  payload.set_hint(details.hint);
  for (const std::string& fact : details.evidence) payload.add_evidence(fact);
  payload.set_panic(details.panic);
  payload.set_stderr_tail(details.stderr_tail);
  return payload;
}

}  // namespace

absl::Status MakeError(const ErrorDetails& details) {
  const ErrorDetails bounded = Bounded(details);
  const absl::string_view tail = LastLines(bounded.stderr_tail, kTailInMessage);
  wire::MessageLayout layout;
  const std::string text = Message(bounded, tail, layout);
  // Escaping makes it longer.
  const std::string message =
      WithoutMiddle(EscapeInvalidUtf8(text), kMaxMessageBytes);
  wire::ErrorDetails payload = message == text
                                   ? Remainder(bounded, tail, std::move(layout))
                                   : Whole(bounded);
  payload.set_reason(ReasonName(bounded.reason));
  if (bounded.exit_status.has_value()) {
    ToWire(*bounded.exit_status, payload.mutable_exit_status());
  }
  absl::Status status(ReasonCode(bounded.reason), message);
  status.SetPayload(kErrorDetailsUrl, absl::Cord(payload.SerializeAsString()));
  return status;
}

absl::Status MakeError(Reason reason, std::string what, std::string hint) {
  ErrorDetails details;
  details.reason = reason;
  details.what = std::move(what);
  details.hint = std::move(hint);
  return MakeError(details);
}

std::string Quote(absl::string_view quoted, size_t max_bytes) {
  const std::string text = WithShortCertificates(quoted);
  if (text.size() <= max_bytes) {
    return absl::StrCat("\"", absl::CHexEscape(text), "\"");
  }
  const size_t half = max_bytes / 2;
  const absl::string_view view = text;
  return absl::StrCat("\"", absl::CHexEscape(view.substr(0, half)), "\" ... ",
                      view.size() - 2 * half, " bytes left out ... \"",
                      absl::CHexEscape(view.substr(view.size() - half)), "\"");
}

}  // namespace goplugin::internal
