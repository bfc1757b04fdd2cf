#ifndef GOPLUGIN_INTERNAL_LOG_STDERR_TAIL_H_
#define GOPLUGIN_INTERNAL_LOG_STDERR_TAIL_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace goplugin::internal {

// The last lines a plugin wrote, for errors: a start that fails often writes a
// long traceback whose last line has the cause.
//
// Costs: amortised linear in the bytes appended; at most a few times kMaxBytes.
//
// Thread safety: none.
class StderrTail {
 public:
  static constexpr size_t kMaxBytes = size_t{16} * 1024;
  static constexpr size_t kMaxLines = 200;

  // `line` comes without its newline. Of a line longer than kMaxBytes the end
  // is kept.
  void Append(absl::string_view line);

  // The last lines with '\n' between them: at most kMaxLines, and at most
  // kMaxBytes of valid UTF-8. Starts with a whole line, unless one line alone
  // is too long.
  std::string ToString() const;

 private:
  // The bytes of every line with a '\n' behind it; may start within a
  // character.
  std::string text_;
};

// A tail for people, as short as it was: a line that tells more than its text
// reads as its log entry, the others as they are, without terminal colours.
// Parses every line: not for the loop.
std::string ReadableTail(absl::string_view tail);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_STDERR_TAIL_H_
