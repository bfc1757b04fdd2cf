#include "goplugin/internal/log/terminal.h"

#include <algorithm>
#include <cstddef>

namespace goplugin::internal {
namespace {

constexpr char kEscape = '\x1b';

bool InRange(char c, char low, char high) { return c >= low && c <= high; }

// Length of the sequence "ESC [ parameters intermediates final" at the front of
// `text`, 0 without one.
size_t SequenceLength(absl::string_view text) {
  if (text.size() < 3 || text[1] != '[') return 0;
  size_t at = 2;
  while (at < text.size() && InRange(text[at], '0', '?')) ++at;
  while (at < text.size() && InRange(text[at], ' ', '/')) ++at;
  const bool ends = at < text.size() && InRange(text[at], '@', '~');
  return ends ? at + 1 : 0;
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
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t length = SequenceLength(text);
    if (length == 0) out.push_back(kEscape);
    text.remove_prefix(std::max(length, size_t{1}));
  }
  return out;
}

}  // namespace goplugin::internal
