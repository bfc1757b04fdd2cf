#include "goplugin/internal/log/log_parser.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "goplugin/internal/log/text_line.h"
#include "goplugin/internal/text/terminal.h"
#include "goplugin/internal/text/utf8.h"

namespace goplugin::internal {
namespace {

// Replaces `*line` by a cleaned copy in `*storage`, if it needs cleaning.
void Clean(absl::string_view* line, std::string* storage) {
  if (!IsValidUtf8(*line)) {
    *storage = ReplaceInvalidUtf8(*line);
    *line = *storage;
  }
  if (HasTerminalSequence(*line)) {
    *storage = WithoutTerminalSequences(*line);
    *line = *storage;
  }
}

}  // namespace

LogEntry LogParser::Parse(absl::string_view line, bool is_piece) {
  LogEntry entry;
  Parse(line, is_piece, &entry);
  return entry;
}

void LogParser::Parse(absl::string_view line, bool is_piece, LogEntry* entry) {
  std::string storage;
  Clean(&line, &storage);
  bool has_level = false;
  if (is_piece) {
    entry->message.assign(line.data(), line.size());
  } else {
    has_level = ParseWhole(line, entry);
  }
  const bool continued = is_piece && was_piece_;
  was_piece_ = is_piece;
  if (has_level) {
    crash_.SkipTagged();
  } else if (crash_.Add(line, continued)) {
    entry->level = LogLevel::kError;
  }
}

bool LogParser::ParseWhole(absl::string_view line, LogEntry* entry) {
  bool has_level = false;
  if (ParseJson(line, entry, &has_level)) return has_level;
  return ParseTextLine(line, entry);
}

bool LogParser::ParseJson(absl::string_view line, LogEntry* entry,
                          bool* has_level) {
  line = absl::StripAsciiWhitespace(line);
  if (line.empty() || line.front() != '{' || line.back() != '}') return false;
  fields_.clear();
  return json_.Read(line, &fields_) &&
         FillFromFields(fields_, entry, has_level);
}

}  // namespace goplugin::internal
