#ifndef GOPLUGIN_INTERNAL_LOG_LOG_PARSER_H_
#define GOPLUGIN_INTERNAL_LOG_LOG_PARSER_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "goplugin/internal/log/crash_report.h"
#include "goplugin/internal/log/fields.h"
#include "goplugin/internal/log/json_line.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {

// Makes log entries of the lines of one plugin's stderr.
//
// Understands JSON of hclog, zap, slog, logrus, zerolog, structlog and their
// like, the text forms listed at ParseTextLine, and the crash reports listed at
// CrashReport, whose lines are errors. Everything else is debug. No line is an
// error of the parser: what it can't take apart becomes the message as it is.
//
// Terminal colours are removed and bytes that are not UTF-8 replaced before
// anything else.
//
// Costs: linear in the line; a line that is not in braces never meets the JSON
// parser. At most some 200 KiB are kept from line to line.
//
// Thread safety: none; use one per plugin.
class LogParser {
 public:
  // `line` comes without its newline. `is_piece`: it is a part of an over-long
  // line, which is not taken apart. LogEntry::continues is left for the caller.
  LogEntry Parse(absl::string_view line, bool is_piece);
  // The same into `*entry`, which is as new but for the memory of its message.
  void Parse(absl::string_view line, bool is_piece, LogEntry* entry);

  // The last panic, fatal error or traceback, as far as it was read: at most
  // 16 KiB of valid UTF-8, with its middle left out if it is longer; "" when
  // there was none.
  std::string panic() const { return crash_.text(); }

 private:
  // True when the line told its level.
  bool ParseWhole(absl::string_view line, LogEntry* entry);
  bool ParseJson(absl::string_view line, LogEntry* entry, bool* has_level);

  JsonLine json_;
  std::vector<Field> fields_;  // kept for its memory only
  CrashReport crash_;
  bool was_piece_ = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOG_LOG_PARSER_H_
