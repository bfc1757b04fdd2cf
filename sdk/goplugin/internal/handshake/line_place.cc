#include "goplugin/internal/handshake/line_place.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "goplugin/internal/handshake/versions.h"
#include "goplugin/internal/text/terminal.h"

namespace goplugin::internal {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

// Where the digits that end before `end` begin; `end` if there are none.
size_t DigitsBefore(absl::string_view text, size_t end) {
  while (end > 0 && absl::ascii_isdigit(text[end - 1])) --end;
  return end;
}

// Where a line begins whose "|unix|" or "|tcp|" is at `bar`.
absl::optional<size_t> BeginOf(absl::string_view text, size_t bar) {
  const size_t app = DigitsBefore(text, bar);
  if (app == bar || app == 0 || text[app - 1] != '|') return absl::nullopt;
  const size_t core = DigitsBefore(text, app - 1);
  return core == app - 1 ? absl::nullopt : absl::make_optional(core);
}

bool IsOffered(absl::string_view line, const HandshakePolicy& policy) {
  if (!absl::ConsumePrefix(&line, "1|")) return false;
  const auto version = ParseVersion(line.substr(0, line.find('|')));
  const auto& offered = policy.protocol_versions;
  return version.has_value() &&
         std::find(offered.begin(), offered.end(), *version) != offered.end();
}

struct Places {
  size_t first = 0;
  size_t count = 0;

  void Add(size_t place) {
    if (count++ == 0) first = place;
  }
};

// Digits and '|', each of two bytes.
bool IsInTwoBytes(absl::string_view text) {
  if (text.size() < 8) return false;
  if (!absl::ConsumePrefix(&text, "\xff\xfe")) {
    absl::ConsumePrefix(&text, "\xfe\xff");
  }
  // Little and big endian; a line's end may have left one byte of its own.
  while (!text.empty() && text.front() == '\0') text.remove_prefix(1);
  return text.size() > 4 && absl::ascii_isdigit(text[0]) && text[1] == '\0' &&
         (absl::ascii_isdigit(text[2]) || text[2] == '|') && text[3] == '\0';
}

}  // namespace

absl::string_view PlainLine(absl::string_view text, std::string* storage) {
  if (HasTerminalSequence(text)) {
    *storage = WithoutTerminalSequences(text);
    text = *storage;
  }
  do {
    text = absl::StripAsciiWhitespace(text);
  } while (absl::ConsumePrefix(&text, kByteOrderMark));
  return text;
}

LinePlace PlaceAtFront(absl::string_view text) {
  LinePlace place;
  const size_t bar = text.find('|');
  if (bar == absl::string_view::npos) return place;
  place.line = text;
  if (IsDigits(text.substr(0, bar))) {
    place.kind = LinePlace::Kind::kFront;
  } else if (IsInTwoBytes(text)) {
    place.kind = LinePlace::Kind::kTwoBytes;
  }
  return place;
}

LinePlace PlaceInside(absl::string_view text, const HandshakePolicy& policy) {
  Places any;
  Places offered;
  for (size_t bar = text.find('|'); bar != absl::string_view::npos;
       bar = text.find('|', bar + 1)) {
    const absl::string_view rest = text.substr(bar);
    if (!absl::StartsWith(rest, "|unix|") && !absl::StartsWith(rest, "|tcp|")) {
      continue;
    }
    const absl::optional<size_t> begin = BeginOf(text, bar);
    if (!begin.has_value()) continue;
    any.Add(*begin);
    if (IsOffered(text.substr(*begin), policy)) offered.Add(*begin);
  }
  const Places& places = offered.count > 0 ? offered : any;
  LinePlace place;
  // The front is PlaceAtFront's.
  if (places.count == 0 || (places.count == 1 && places.first == 0)) {
    return place;
  }
  place.kind =
      places.count == 1 ? LinePlace::Kind::kInside : LinePlace::Kind::kUnclear;
  place.before =
      absl::StripTrailingAsciiWhitespace(text.substr(0, places.first));
  place.line = text.substr(places.first);
  return place;
}

}  // namespace goplugin::internal
