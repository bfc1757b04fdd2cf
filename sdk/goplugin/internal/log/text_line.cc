#include "goplugin/internal/log/text_line.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "goplugin/internal/log/fields.h"
#include "goplugin/internal/log/glog_line.h"
#include "goplugin/internal/log/key_values.h"
#include "goplugin/internal/log/text_scan.h"
#include "goplugin/internal/log/timestamp.h"

namespace goplugin::internal {
namespace {

bool IsModuleCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' ||
         c == '/' || c == '@';
}

bool IsModule(absl::string_view word) {
  return std::all_of(word.begin(), word.end(), IsModuleCharacter);
}

// What follows the level in hclog's text form: "module: text: key=value". The
// module and the pairs may be missing.
void FillHclogText(absl::string_view text, LogEntry* entry) {
  if (const auto caller = ConsumeGoCaller(&text)) {
    entry->fields.emplace_back("@caller", std::string(*caller));
  }
  absl::string_view rest = text;
  const auto module = ConsumeWord(&rest, ": ");
  // "text: key=value" has no module: its last colon belongs to the text.
  std::vector<Field> pairs;
  if (module && IsModule(*module) && !StartsWithKey(rest)) {
    entry->module = std::string(*module);
    text = rest;
  }
  const absl::string_view before =
      text.substr(0, TakeTrailingPairs(text, &pairs));
  const absl::string_view message = absl::StripTrailingAsciiWhitespace(before);
  if (!pairs.empty() && absl::EndsWith(message, ":")) {
    text = absl::StripSuffix(message, ":");
    for (Field& pair : pairs) entry->fields.push_back(std::move(pair));
  }
  entry->message.assign(text.data(), text.size());
}

// What follows the level in structlog's console form: "text  [logger] k=v".
void FillStructlogText(absl::string_view text, LogEntry* entry) {
  const size_t length = TakeTrailingPairs(text, &entry->fields);
  text = absl::StripTrailingAsciiWhitespace(text.substr(0, length));
  const size_t open = text.rfind(" [");
  if (absl::EndsWith(text, "]") && open != absl::string_view::npos) {
    const absl::string_view logger =
        text.substr(open + 2, text.size() - open - 3);
    if (!logger.empty() && IsModule(logger)) {
      entry->module = std::string(logger);
      text = absl::StripTrailingAsciiWhitespace(text.substr(0, open));
    }
  }
  entry->message.assign(text.data(), text.size());
}

bool ParseBracketLevel(absl::string_view text, bool rfc3339, LogEntry* entry) {
  const bool upper = text.size() > 1 &&
                     absl::ascii_isupper(static_cast<unsigned char>(text[1]));
  bool padded = false;
  const auto level = ConsumeBracketLevel(&text, &padded);
  if (!level) return false;
  entry->level = *level;
  SkipBlanks(&text);
  if (padded && !upper) {
    FillStructlogText(text, entry);
  } else if (rfc3339 && upper) {
    FillHclogText(text, entry);
  } else {
    entry->message.assign(text.data(), text.size());
  }
  return true;
}

// "WARNING: text", "ERROR:name:text".
bool ParseColonLevel(absl::string_view text, LogEntry* entry) {
  const auto level = ConsumeUpperLevel(&text);
  if (!level || !absl::ConsumePrefix(&text, ":")) return false;
  entry->level = *level;
  absl::string_view rest = text;
  const auto name = ConsumeWord(&rest, ":");
  if (name && IsModule(*name) && !absl::StartsWith(rest, "/")) {
    entry->module = std::string(*name);
    text = rest;
  }
  SkipBlanks(&text);
  entry->message.assign(text.data(), text.size());
  return true;
}

// " INFO text" behind a timestamp.
bool ParseBareLevel(absl::string_view text, LogEntry* entry) {
  const auto level = ConsumeUpperLevel(&text);
  if (!level || absl::StartsWith(text, ":")) return false;
  entry->level = *level;
  SkipBlanks(&text);
  entry->message.assign(text.data(), text.size());
  return true;
}

// "- name - WARNING - text" behind a timestamp.
bool ParseDashes(absl::string_view text, LogEntry* entry) {
  if (!absl::ConsumePrefix(&text, "- ")) return false;
  const auto name = ConsumeWord(&text, " - ");
  const auto level = ConsumeUpperLevel(&text);
  if (!name || !level || !absl::ConsumePrefix(&text, " - ")) return false;
  entry->level = *level;
  entry->module = std::string(*name);
  entry->message.assign(text.data(), text.size());
  return true;
}

// "main.go:12: [WARN] text" behind a timestamp.
bool ParseCallerThenLevel(absl::string_view text, LogEntry* entry) {
  const auto caller = ConsumeGoCaller(&text);
  if (!caller || !ParseBracketLevel(text, false, entry)) return false;
  entry->fields.emplace_back("caller", std::string(*caller));
  return true;
}

// "[2024-01-02T15:04:05Z INFO  target] text".
bool ParseEnvLogger(absl::string_view text, LogEntry* entry) {
  if (!absl::ConsumePrefix(&text, "[")) return false;
  const auto time = ConsumeTimestamp(&text);
  if (!time) return false;
  SkipBlanks(&text);
  const auto level = ConsumeUpperLevel(&text);
  if (!level) return false;
  SkipBlanks(&text);
  const auto target = ConsumeWord(&text, "]");
  if (!target && !absl::ConsumePrefix(&text, "]")) return false;
  entry->timestamp = time;
  entry->level = *level;
  if (target) entry->module = std::string(*target);
  SkipBlanks(&text);
  entry->message.assign(text.data(), text.size());
  return true;
}

bool ParseLogfmt(absl::string_view text, LogEntry* entry) {
  std::vector<Field> pairs;
  if (!StartsWithKey(text) || TakeTrailingPairs(text, &pairs) != 0) {
    return false;
  }
  LogEntry parsed;
  bool has_level = false;
  if (!FillFromFields(pairs, &parsed, &has_level) || !has_level) return false;
  *entry = std::move(parsed);
  return true;
}

bool ParseAfterTimestamp(absl::string_view text, bool rfc3339,
                         LogEntry* entry) {
  return ParseBracketLevel(text, rfc3339, entry) ||
         ParseColonLevel(text, entry) || ParseBareLevel(text, entry) ||
         ParseDashes(text, entry) || ParseCallerThenLevel(text, entry);
}

// A line without a timestamp in front.
bool ParseUntimed(absl::string_view text, LogEntry* entry) {
  const unsigned char first = static_cast<unsigned char>(text[0]);
  if (first == '[') {
    return ParseBracketLevel(text, false, entry) || ParseEnvLogger(text, entry);
  }
  if (absl::ascii_isupper(first) &&
      (ParseGlogLine(text, entry) || ParseColonLevel(text, entry))) {
    return true;
  }
  return ParseLogfmt(text, entry);
}

}  // namespace

bool ParseTextLine(absl::string_view line, LogEntry* entry) {
  line = absl::StripTrailingAsciiWhitespace(line);
  if (line.empty()) return false;
  absl::string_view text = line;
  if (const auto time = ConsumeTimestamp(&text)) {
    entry->timestamp = time;
    const bool rfc3339 = line[10] == 'T';
    SkipBlanks(&text);
    if (ParseAfterTimestamp(text, rfc3339, entry)) return true;
  } else if (ParseUntimed(text, entry)) {
    return true;
  }
  entry->message.assign(text.data(), text.size());
  return false;
}

}  // namespace goplugin::internal
