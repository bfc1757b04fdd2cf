#ifndef GOPLUGIN_LOG_SINK_H_
#define GOPLUGIN_LOG_SINK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/language.h"

namespace goplugin {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

// "trace", "debug", "info", "warn", "error".
const char* LogLevelName(LogLevel level);

// One line that the plugin wrote to its stderr, understood as far as possible,
// or one remark of the SDK itself.
struct LogEntry {
  enum class Source {
    kPlugin,  // the plugin's stderr
    kSdk,     // this library: a slow start, dropped entries, one-way
              // authentication
  };

  Source source = Source::kPlugin;
  LogLevel level = LogLevel::kDebug;
  // The text without level prefix, timestamp and trailing white space. Valid
  // UTF-8: bytes that are not are replaced by U+FFFD.
  std::string message = {};
  // Structured values in the order the plugin wrote them; values that are not
  // JSON strings are given as JSON text.
  std::vector<std::pair<std::string, std::string>> fields = {};
  // hclog's @module, zap's and structlog's logger: "" when the line names none.
  std::string module = {};
  // The time the plugin wrote, when the line holds one.
  absl::optional<absl::Time> timestamp = absl::nullopt;
  // True for a piece of a line longer than 64 KiB that goes on in the next
  // entry.
  bool continues = false;
};

// `entry` for people, on one line without a newline, as hclog writes it but for
// the time:
//   [INFO]  kv.cache: stored: key=hello bytes=17
// Control characters are escaped.
std::string ToString(const LogEntry& entry);

// Where a plugin's log entries go.
//
// Thread safety: the SDK calls Log from its callback threads, never twice at
// once for one client, in the order of the lines. One sink given to several
// clients is called for them concurrently.
// Blocking: a Log that blocks delays the later callbacks of its own client
// only; meanwhile entries are kept up to a bound, then the oldest are dropped
// and counted, and an entry of source kSdk says how many.
// Lifetime: the client shares ownership until its last callback has returned.
// Errors: Log must not throw. It may not call blocking methods of a Client:
// those answer FailedPrecondition there.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Log(const LogEntry& entry) = 0;
};

// A sink that calls `log`, which must not be empty, for each entry; the rules
// of LogSink hold for it.
//
// Example:
//   options.log_sink = goplugin::MakeLogSink([](const goplugin::LogEntry& e) {
//     LOG(INFO) << goplugin::ToString(e);
//   });
std::shared_ptr<LogSink> MakeLogSink(
    std::function<void(const LogEntry& entry)> log);

// A sink that writes a line for each entry to this process's stderr: `prefix`,
// then ToString(entry). Lines of these sinks do not mix, of whatever client
// they are: one is written at a time, and the others wait for it. What can't be
// written is lost, without SIGPIPE: a line, or, where stderr does not block and
// has no more place, the rest of one; the next then begins on a new line.
//
// Example:
//   options.log_sink = goplugin::MakeStderrLogSink("kv-plugin: ");
std::shared_ptr<LogSink> MakeStderrLogSink(std::string prefix = "");

// A piece of what a plugin wrote to its stdout or stderr.
struct StdioChunk {
  enum class Stream { kStdout, kStderr };

  Stream stream = Stream::kStdout;
  // True for bytes read from the process's own pipe, false for bytes that came
  // over GRPCStdio.
  bool raw = false;
  // Not aligned to lines or characters. Valid during the call only.
  absl::string_view data = {};
};

// Where a plugin's output goes, byte for byte, in pieces of at most 256 KiB.
// The rules of LogSink hold here too. Output over GRPCStdio waits for a slow
// sink, and the plugin with it: of messages of up to 64 MiB nothing is dropped.
// A sink that returns from nothing for 1 s is not waited for any more, nor is
// any once the plugin has ended: of what comes then at least 4 MiB are kept,
// where a piece counts for 256 bytes besides its own. Longer messages, and
// streams that are compressed, are left out, and an entry of source kSdk says
// so.
class StdioSink {
 public:
  virtual ~StdioSink() = default;
  virtual void Write(const StdioChunk& chunk) = 0;
};

}  // namespace goplugin

#endif  // GOPLUGIN_LOG_SINK_H_
