#ifndef EXAMPLES_INSPECT_ERROR_H_
#define EXAMPLES_INSPECT_ERROR_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "examples/inspect/report.pb.h"

namespace inspect {

// The reasons that inspect adds to those of goplugin/error.h.
inline constexpr char kUsageReason[] = "usage";
inline constexpr char kNoReflection[] = "no_reflection";
inline constexpr char kNoSuchMethod[] = "no_such_method";
inline constexpr char kStreaming[] = "streaming";
inline constexpr char kBadRequest[] = "bad_request";
inline constexpr char kBadAnswer[] = "bad_answer";
inline constexpr char kLargeAnswer[] = "large_answer";
inline constexpr char kCallFailed[] = "call_failed";

// A status that carries all of `error`.
absl::Status MakeStatus(const Error& error);
absl::Status MakeStatus(absl::string_view reason, std::string what,
                        std::string hint);

// What a status of inspect's own, of the SDK, or of anybody else says.
Error Describe(const absl::Status& status);

// `bytes` as text: valid UTF-8 as it is, anything else with escapes. A plugin
// may write what it likes, and protobuf's strings and JSON are UTF-8.
std::string Text(absl::string_view bytes);

// How many bytes the control character has that `text` begins with, else 0:
// ASCII's, and Unicode's second set (U+009B steers a terminal as well), of
// which the last byte is the number.
std::size_t ControlSize(absl::string_view text);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_ERROR_H_
