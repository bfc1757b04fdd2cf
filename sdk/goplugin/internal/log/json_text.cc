#include "goplugin/internal/log/json_text.h"

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "goplugin/internal/text/utf8.h"

namespace goplugin::internal {
namespace {

constexpr absl::string_view kCut = "...";
constexpr char kHexDigits[] = "0123456789abcdef";

bool ContinuesCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

// At most `most` bytes from the start, whole characters only.
absl::string_view Start(absl::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && ContinuesCharacter(text[most])) --most;
  return text.substr(0, most);
}

bool NeedsEscape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void AppendEscape(char c, std::string& out) {
  switch (c) {
    case '"':
    case '\\':
      out += {'\\', c};
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += {'\\', 'u', '0', '0', kHexDigits[c >> 4], kHexDigits[c & 0xf]};
  }
}

// Appends whole characters while they leave room for kCut. True when all of
// them fitted into `room`, where the last ones need not leave any.
bool AppendEscaped(absl::string_view text, std::size_t room, std::string& out) {
  const std::size_t start = out.size();
  std::size_t last_good = start;
  for (const char c : text) {
    // Where the text may end if it has to be cut.
    if (!ContinuesCharacter(c) && out.size() - start + kCut.size() <= room) {
      last_good = out.size();
    }
    if (NeedsEscape(c)) {
      AppendEscape(c, out);
    } else {
      out += c;
    }
    if (out.size() - start > room) {
      out.resize(last_good);
      return false;
    }
  }
  return true;
}

}  // namespace

bool AppendJsonString(absl::string_view text, std::size_t room,
                      std::string& out) {
  room -= 2;
  // One byte more than fits, so that the cut is seen.
  absl::string_view fitting = Start(text, room + 4);
  std::string replaced;
  if (!IsValidUtf8(fitting)) {
    replaced = ReplaceInvalidUtf8(fitting);
    fitting = replaced;
  }
  out += '"';
  const bool whole = AppendEscaped(fitting, room, out);
  if (!whole) out.append(kCut.data(), kCut.size());
  out += '"';
  return whole;
}

}  // namespace goplugin::internal
