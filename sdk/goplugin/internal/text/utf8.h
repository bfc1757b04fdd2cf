#ifndef GOPLUGIN_INTERNAL_TEXT_UTF8_H_
#define GOPLUGIN_INTERNAL_TEXT_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

bool IsValidUtf8(absl::string_view text);

// `text` with U+FFFD for every longest run of bytes that starts a character
// and does not finish it, and for every byte that can't start one: what
// Unicode recommends and Python's "replace" does.
std::string ReplaceInvalidUtf8(absl::string_view text);

// `text` with each byte that belongs to no character, and NUL, at which many
// readers of text stop, as "\xff". For people: what was a backslash before
// stays one.
std::string EscapeInvalidUtf8(absl::string_view text);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TEXT_UTF8_H_
