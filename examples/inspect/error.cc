#include "examples/inspect/error.h"

#include <simdjson.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"

namespace inspect {
namespace {

constexpr char kPayload[] = "inspect.Error";

// The SDK speaks to those who write a host. What inspect has an option for is
// named by it; the longest name counts.
std::string InOptionsOfInspect(absl::string_view hint) {
  return absl::StrReplaceAll(
      hint, {{"ClientOptions::tls.mode = TlsMode::kInsecure", "--tls insecure"},
             {"tls.mode to TlsMode::kInsecure", "--tls to insecure"},
             {"tls.mode to TlsMode::kAutoMtls", "--tls to auto"},
             {"TlsMode::kAutoMtls", "--tls auto"},
             {"TlsMode::kAutoMtlsIfOffered", "--tls if-offered"},
             {"multiplex to Multiplex::kNever", "--multiplex to never"},
             {"multiplex to Multiplex::kIfOffered or kNever",
              "--multiplex to if-offered or never"},
             {"handshake.protocol_versions", "--versions"},
             {"magic_cookie_key and magic_cookie_value", "--cookie"},
             {"the start timeout", "--timeout"},
             {"start_timeout", "--timeout"},
             {"Command::path", "PLUGIN"}});
}

Error FromSdk(const goplugin::ErrorDetails& details) {
  Error error;
  error.set_reason(goplugin::ReasonName(details.reason));
  error.set_what(Text(details.what));
  for (const std::string& fact : details.evidence) {
    error.add_evidence(Text(fact));
  }
  error.set_hint(Text(InOptionsOfInspect(details.hint)));
  if (details.exit_status.has_value()) {
    error.set_exit(details.exit_status->ToString());
  }
  error.set_panic(Text(details.panic));
  error.set_stderr_tail(Text(details.stderr_tail));
  return error;
}

}  // namespace

absl::Status MakeStatus(const Error& error) {
  absl::Status status(absl::StatusCode::kUnknown, error.what());
  status.SetPayload(kPayload, absl::Cord(error.SerializeAsString()));
  return status;
}

absl::Status MakeStatus(absl::string_view reason, std::string what,
                        std::string hint) {
  Error error;
  error.set_reason(std::string(reason));
  error.set_what(Text(what));
  error.set_hint(Text(hint));
  return MakeStatus(error);
}

Error Describe(const absl::Status& status) {
  const absl::optional<goplugin::ErrorDetails> details =
      goplugin::GetErrorDetails(status);
  if (details.has_value()) return FromSdk(*details);
  Error error;
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (payload.has_value() && error.ParseFromString(std::string(*payload))) {
    return error;
  }
  error.set_reason("unknown");
  error.set_what(Text(status.message()));
  return error;
}

std::string Text(absl::string_view bytes) {
  if (simdjson::validate_utf8(bytes.data(), bytes.size())) {
    return std::string(bytes);
  }
  return absl::CHexEscape(bytes);
}

std::size_t ControlSize(absl::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (absl::ascii_iscntrl(first)) return 1;
  const bool second_set = text.size() > 1 && first == 0xC2 &&
                          static_cast<unsigned char>(text[1]) < 0xA0;
  return second_set ? 2 : 0;
}

}  // namespace inspect
