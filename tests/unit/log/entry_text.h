#ifndef GOPLUGIN_TESTS_UNIT_LOG_ENTRY_TEXT_H_
#define GOPLUGIN_TESTS_UNIT_LOG_ENTRY_TEXT_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// An entry on one line: "warn|module|message|k=v k2=v2|time", the time in UTC
// and left out when there is none.
inline std::string EntryText(const LogEntry& entry) {
  std::string text = absl::StrCat(LogLevelName(entry.level), "|", entry.module,
                                  "|", entry.message, "|");
  const char* separator = "";
  for (const auto& [key, value] : entry.fields) {
    absl::StrAppend(&text, separator, key, "=", value);
    separator = " ";
  }
  if (entry.timestamp) {
    absl::StrAppend(&text, "|",
                    absl::FormatTime("%Y-%m-%dT%H:%M:%E*S", *entry.timestamp,
                                     absl::UTCTimeZone()));
  }
  return text;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_LOG_ENTRY_TEXT_H_
