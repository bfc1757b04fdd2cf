#ifndef GOPLUGIN_INTERNAL_TEXT_TERMINAL_H_
#define GOPLUGIN_INTERNAL_TEXT_TERMINAL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// Whether `text` may hold a control sequence for a terminal: an escape.
bool HasTerminalSequence(absl::string_view text);

// `text` without what programs tell a terminal even when nobody looks: colours
// ("\x1b[31m"), titles and links ("\x1b]0;title\a"), character sets and modes
// ("\x1b(B", "\x1b="). An escape that begins none of these stays. Linear.
std::string WithoutTerminalSequences(absl::string_view text);

// `text`, which is UTF-8, with an escape as of C ("\\x1b", "\\r") for every
// control character that is not in `kept`: ASCII's, and the second set, U+0080
// to U+009F, of which some terminals take U+009B for an escape. Linear.
std::string EscapeControlCharacters(absl::string_view text,
                                    absl::string_view kept);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_TEXT_TERMINAL_H_
