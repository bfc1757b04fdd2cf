#ifndef GOPLUGIN_INTERNAL_LOG_TEXT_SCAN_H_
#define GOPLUGIN_INTERNAL_LOG_TEXT_SCAN_H_

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/log_sink.h"

// Small readers for the front of a text. Each takes what it is named after off
// `*text`, or leaves `*text` alone and says that it is not there.
namespace goplugin::internal {

// Blanks and tabs.
void SkipBlanks(absl::string_view* text);

// Characters up to `delimiter`, which goes too. nullopt without a delimiter, or
// with a blank or nothing before it.
absl::optional<absl::string_view> ConsumeWord(absl::string_view* text,
                                              absl::string_view delimiter);

// A level in upper case, up to a blank, ':', ']' or the end, none of which is
// taken.
absl::optional<LogLevel> ConsumeUpperLevel(absl::string_view* text);

// "[INFO]", "[warning  ]". `*padded`: the level had blanks behind it.
absl::optional<LogLevel> ConsumeBracketLevel(absl::string_view* text,
                                             bool* padded);

// "file.go:12: ": gives "file.go:12".
absl::optional<absl::string_view> ConsumeGoCaller(absl::string_view* text);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_TEXT_SCAN_H_
