#include "goplugin/internal/log/text_scan.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "goplugin/internal/log/level_name.h"

namespace goplugin::internal {
namespace {

// No prefix that is looked for is longer; keeps every search short.
constexpr size_t kLongestPrefix = 256;

}  // namespace

void SkipBlanks(absl::string_view* text) {
  text->remove_prefix(std::min(text->find_first_not_of(" \t"), text->size()));
}

absl::optional<absl::string_view> ConsumeWord(absl::string_view* text,
                                              absl::string_view delimiter) {
  const absl::string_view front = text->substr(0, kLongestPrefix);
  const size_t end = front.find(delimiter);
  if (end == absl::string_view::npos || end == 0) return absl::nullopt;
  const absl::string_view word = front.substr(0, end);
  if (word.find_first_of(" \t") != absl::string_view::npos) {
    return absl::nullopt;
  }
  text->remove_prefix(end + delimiter.size());
  return word;
}

absl::optional<LogLevel> ConsumeUpperLevel(absl::string_view* text) {
  size_t length = 0;
  while (length < text->size() &&
         absl::ascii_isupper(static_cast<unsigned char>((*text)[length]))) {
    ++length;
  }
  if (length == 0) return absl::nullopt;
  const bool ends =
      length == text->size() ||
      absl::string_view(" :]").find((*text)[length]) != absl::string_view::npos;
  if (!ends) return absl::nullopt;
  const auto level = ParseLevelName(text->substr(0, length));
  if (level) text->remove_prefix(length);
  return level;
}

absl::optional<LogLevel> ConsumeBracketLevel(absl::string_view* text,
                                             bool* padded) {
  constexpr size_t kLongestBracket = 20;
  if (text->empty() || text->front() != '[') return absl::nullopt;
  const absl::string_view front = text->substr(1, kLongestBracket);
  const size_t close = front.find(']');
  if (close == absl::string_view::npos) return absl::nullopt;
  const absl::string_view inner = front.substr(0, close);
  const auto level = ParseLevelName(absl::StripAsciiWhitespace(inner));
  if (!level) return absl::nullopt;
  *padded = absl::EndsWith(inner, " ");
  text->remove_prefix(1 + close + 1);
  return level;
}

absl::optional<absl::string_view> ConsumeGoCaller(absl::string_view* text) {
  absl::string_view rest = *text;
  const auto word = ConsumeWord(&rest, ": ");
  if (!word) return absl::nullopt;
  const size_t extension = word->find(".go:");
  if (extension == absl::string_view::npos) return absl::nullopt;
  const absl::string_view line = word->substr(extension + 4);
  if (line.empty() || !std::all_of(line.begin(), line.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    return absl::nullopt;
  }
  *text = rest;
  return word;
}

}  // namespace goplugin::internal
