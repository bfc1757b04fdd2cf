#include "goplugin/internal/log/stderr_tail.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/text/terminal.h"
#include "goplugin/internal/text/utf8.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {
namespace {

// What is shown, the newline behind it, and the byte in front of it.
constexpr size_t kKept = StderrTail::kMaxBytes + 2;

absl::string_view LastBytes(absl::string_view text, size_t count) {
  return text.substr(text.size() - std::min(text.size(), count));
}

absl::string_view LastLines(absl::string_view text, size_t count) {
  for (size_t at = text.size(); at > 0; --at) {
    if (text[at - 1] == '\n' && --count == 0) return text.substr(at);
  }
  return text;
}

// The end of `text` in at most `count` bytes, from the start of a line on if
// there is one in it, else from the start of a character.
absl::string_view LastWholeLines(absl::string_view text, size_t count) {
  absl::string_view tail = LastBytes(text, count);
  const size_t left_out = text.size() - tail.size();
  if (left_out == 0 || text[left_out - 1] == '\n') return tail;
  const size_t newline = tail.find('\n');
  if (newline != absl::string_view::npos) return tail.substr(newline + 1);
  const auto continues_character = [](char c) { return (c & 0xC0) == 0x80; };
  while (!tail.empty() && continues_character(tail.front())) {
    tail.remove_prefix(1);
  }
  return tail;
}

// The line as a log sink would show it.
std::string Readable(absl::string_view line, LogParser& parser) {
  const std::string plain = WithoutTerminalSequences(line);
  const absl::string_view text = absl::StripTrailingAsciiWhitespace(plain);
  const LogEntry entry = parser.Parse(text, /*is_piece=*/false);
  return entry.message == text ? std::string(text) : goplugin::ToString(entry);
}

}  // namespace

void StderrTail::Append(absl::string_view line) {
  // One byte more than is shown, to see whether it is the start of the line.
  line = LastBytes(line, kMaxBytes + 1);
  text_.append(line.data(), line.size());
  text_.push_back('\n');
  if (text_.size() > 2 * kMaxBytes) text_.erase(0, text_.size() - kKept);
}

std::string StderrTail::ToString() const {
  // Only here: few tails are ever looked at. What is left of a character at
  // the start gets longer, and is cut off with it.
  const std::string valid =
      IsValidUtf8(text_) ? text_ : ReplaceInvalidUtf8(text_);
  return std::string(LastLines(
      LastWholeLines(absl::StripSuffix(valid, "\n"), kMaxBytes), kMaxLines));
}

std::string ReadableTail(absl::string_view tail) {
  LogParser parser;
  const std::string lines =
      absl::StrJoin(absl::StrSplit(tail, '\n'), "\n",
                    [&parser](std::string* text, absl::string_view line) {
                      text->append(Readable(line, parser));
                    });
  // Some get longer by it.
  return std::string(LastWholeLines(lines, StderrTail::kMaxBytes));
}

}  // namespace goplugin::internal
