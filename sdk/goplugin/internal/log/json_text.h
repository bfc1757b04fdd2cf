#ifndef GOPLUGIN_INTERNAL_LOG_JSON_TEXT_H_
#define GOPLUGIN_INTERNAL_LOG_JSON_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// The fewest bytes a string takes: its quotes, and the dots of a cut one.
inline constexpr std::size_t kMinJsonString = 5;

// Appends `text` to `out` as a JSON string of at most `room` bytes, which must
// be kMinJsonString or more. Bytes that are not UTF-8 become U+FFFD. Text that
// does not fit is cut between two characters, and ends in "...". True when all
// of it fitted.
//
// By hand, because JSON writers neither bound what they write nor take bytes
// that are not UTF-8. Costs: linear in the smaller of text and room.
bool AppendJsonString(absl::string_view text, std::size_t room,
                      std::string& out);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_JSON_TEXT_H_
