#ifndef GOPLUGIN_INTERNAL_LOG_UTF8_H_
#define GOPLUGIN_INTERNAL_LOG_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

bool IsValidUtf8(absl::string_view text);

// `text` with U+FFFD for every longest run of bytes that starts a character
// and does not finish it, and for every byte that can't start one: what
// Unicode recommends and Python's "replace" does.
std::string ReplaceInvalidUtf8(absl::string_view text);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_UTF8_H_
