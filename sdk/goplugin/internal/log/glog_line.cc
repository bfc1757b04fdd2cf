#include "goplugin/internal/log/glog_line.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/internal/log/text_scan.h"
#include "goplugin/internal/log/timestamp.h"

namespace goplugin::internal {
namespace {

absl::optional<LogLevel> LevelOf(char letter) {
  switch (letter) {
    case 'D':
      return LogLevel::kDebug;
    case 'I':
      return LogLevel::kInfo;
    case 'W':
      return LogLevel::kWarn;
    case 'E':
    case 'F':
      return LogLevel::kError;
    default:
      return absl::nullopt;
  }
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// "15:04:05", perhaps with a fraction.
bool IsTimeOfDay(absl::string_view text) {
  return text.size() >= 8 && text[2] == ':' && text[5] == ':' &&
         IsDigits(text.substr(0, 2)) && IsDigits(text.substr(3, 2)) &&
         IsDigits(text.substr(6, 2));
}

absl::optional<absl::Time> TimeOf(absl::string_view day,
                                  absl::string_view time_of_day) {
  if (day.size() != 8) return absl::nullopt;
  return ParseTimestamp(absl::StrCat(day.substr(0, 4), "-", day.substr(4, 2),
                                     "-", day.substr(6, 2), " ", time_of_day));
}

}  // namespace

bool ParseGlogLine(absl::string_view line, LogEntry* entry) {
  constexpr size_t kShortest = sizeof("I0102 15:04:05 1 a:1]") - 1;
  if (line.size() < kShortest || !absl::ascii_isdigit(line[1])) return false;
  const absl::optional<LogLevel> level = LevelOf(line[0]);
  absl::string_view rest = line.substr(1);
  const auto day = ConsumeWord(&rest, " ");
  if (!level || !day || !IsDigits(*day)) return false;
  if (day->size() != 4 && day->size() != 8) return false;
  const auto time_of_day = ConsumeWord(&rest, " ");
  if (!time_of_day || !IsTimeOfDay(*time_of_day)) return false;
  SkipBlanks(&rest);
  const auto thread = ConsumeWord(&rest, " ");
  const auto caller = ConsumeWord(&rest, "]");
  if (!thread || !caller || !absl::StrContains(*caller, ":")) return false;

  entry->level = *level;
  entry->timestamp = TimeOf(*day, *time_of_day);
  entry->fields.emplace_back("thread", std::string(*thread));
  entry->fields.emplace_back("caller", std::string(*caller));
  entry->message = std::string(absl::StripLeadingAsciiWhitespace(rest));
  return true;
}

}  // namespace goplugin::internal
