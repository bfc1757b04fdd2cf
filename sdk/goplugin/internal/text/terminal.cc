#include "goplugin/internal/text/terminal.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace goplugin::internal {
namespace {

constexpr char kEscape = '\x1b';
constexpr char kBell = '\a';
// Saved cursor, keypad, reset, line feeds and tabs, the end of a command.
constexpr absl::string_view kShortSequences = "78=>cDEHM\\";

bool InRange(char c, char low, char high) { return c >= low && c <= high; }

size_t SkipRange(absl::string_view text, size_t at, char low, char high) {
  while (at < text.size() && InRange(text[at], low, high)) ++at;
  return at;
}

// "ESC [ parameters intermediates final": 0 without the final.
size_t ControlLength(absl::string_view text) {
  const size_t end = SkipRange(text, SkipRange(text, 2, '0', '?'), ' ', '/');
  return end < text.size() && InRange(text[end], '@', '~') ? end + 1 : 0;
}

// "ESC ] text", ended by a bell or by "ESC \": 0 without its end. An escape
// ends the text in any case, so that no byte is looked at twice.
size_t CommandLength(absl::string_view text) {
  const char ends[] = {kBell, kEscape, '\0'};
  const size_t end = text.find_first_of(ends, 2);
  if (end == absl::string_view::npos) return 0;
  if (text[end] == kBell) return end + 1;
  return end + 1 < text.size() && text[end + 1] == '\\' ? end + 2 : 0;
}

// Length of the sequence at the front of `text`, 0 without one.
size_t SequenceLength(absl::string_view text) {
  if (text.size() < 2) return 0;
  switch (text[1]) {
    case '[':
      return ControlLength(text);
    case ']':
      return CommandLength(text);
    default: {
      // "ESC intermediates final", or one of the few without intermediates.
      const size_t end = SkipRange(text, 1, ' ', '/');
      const bool ends = end < text.size() && InRange(text[end], '0', '~');
      return ends && (end > 1 || kShortSequences.find(text[end]) !=
                                     absl::string_view::npos)
                 ? end + 1
                 : 0;
    }
  }
}

// The size of the control character that `text` begins with, else 0: the second
// set is two bytes in UTF-8.
size_t ControlCharacter(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (absl::ascii_iscntrl(first)) return 1;
  const bool second_set = text.size() > 1 && first == 0xC2 &&
                          static_cast<unsigned char>(text[1]) < 0xA0;
  return second_set ? 2 : 0;
}

}  // namespace

bool HasTerminalSequence(absl::string_view text) {
  return text.find(kEscape) != absl::string_view::npos;
}

std::string WithoutTerminalSequences(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t plain = std::min(text.find(kEscape), text.size());
    out.append(text.begin(), text.begin() + plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t length = SequenceLength(text);
    if (length == 0) out.push_back(kEscape);
    text.remove_prefix(std::max(length, size_t{1}));
  }
  return out;
}

std::string EscapeControlCharacters(absl::string_view text,
                                    absl::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t control = kept.find(text[0]) == absl::string_view::npos
                               ? ControlCharacter(text)
                               : 0;
    if (control == 0) {
      out.push_back(text[0]);
    } else {
      out += absl::CHexEscape(text.substr(0, control));
    }
    text.remove_prefix(std::max(control, size_t{1}));
  }
  return out;
}

}  // namespace goplugin::internal
