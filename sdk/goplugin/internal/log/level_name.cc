#include "goplugin/internal/log/level_name.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace goplugin::internal {
namespace {

struct Name {
  absl::string_view word;
  LogLevel level;
};

constexpr Name kNames[] = {
    {"info", LogLevel::kInfo},        {"debug", LogLevel::kDebug},
    {"warn", LogLevel::kWarn},        {"error", LogLevel::kError},
    {"trace", LogLevel::kTrace},      {"warning", LogLevel::kWarn},
    {"fatal", LogLevel::kError},      {"critical", LogLevel::kError},
    {"notice", LogLevel::kInfo},      {"err", LogLevel::kError},
    {"panic", LogLevel::kError},      {"dpanic", LogLevel::kError},
    {"dbg", LogLevel::kDebug},        {"inf", LogLevel::kInfo},
    {"wrn", LogLevel::kWarn},         {"trc", LogLevel::kTrace},
    {"ftl", LogLevel::kError},        {"crit", LogLevel::kError},
    {"alert", LogLevel::kError},      {"emergency", LogLevel::kError},
    {"emerg", LogLevel::kError},      {"exception", LogLevel::kError},
    {"information", LogLevel::kInfo}, {"severe", LogLevel::kError},
    {"verbose", LogLevel::kTrace},
};
constexpr size_t kLongestName = 11;

// slog writes levels between the named ones as "INFO+2".
absl::string_view WithoutOffset(absl::string_view word) {
  const auto* const at = std::find_if(
      word.begin(), word.end(), [](char c) { return c == '+' || c == '-'; });
  const auto sign = static_cast<size_t>(at - word.begin());
  if (sign + 1 >= word.size()) return word;
  const absl::string_view digits = word.substr(sign + 1);
  const bool is_offset =
      std::all_of(digits.begin(), digits.end(),
                  [](unsigned char c) { return absl::ascii_isdigit(c); });
  return is_offset ? word.substr(0, sign) : word;
}

}  // namespace

absl::optional<LogLevel> ParseLevelName(absl::string_view word) {
  word = WithoutOffset(word);
  if (word.size() < 3 || word.size() > kLongestName) return absl::nullopt;
  for (const Name& name : kNames) {
    if (absl::EqualsIgnoreCase(word, name.word)) return name.level;
  }
  return absl::nullopt;
}

absl::optional<LogLevel> ParseLevelNumber(int64_t number) {
  switch (number) {
    case 10:
      return LogLevel::kTrace;
    case 20:
      return LogLevel::kDebug;
    case 30:
      return LogLevel::kInfo;
    case 40:
      return LogLevel::kWarn;
    case 50:
    case 60:
      return LogLevel::kError;
    default:
      return absl::nullopt;
  }
}

}  // namespace goplugin::internal
