#ifndef GOPLUGIN_LOGGER_H_
#define GOPLUGIN_LOGGER_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "absl/types/variant.h"
#include "goplugin/log_sink.h"

namespace goplugin {

// A named value in a log line: {"key", key}, {"bytes", 17}, {"cached", true}.
// Refers to its texts, so it is good for one call.
class LogField {
 public:
  LogField(absl::string_view key, absl::string_view value)
      : key_(key), value_(value) {}
  LogField(absl::string_view key, const char* value)
      : LogField(key, absl::string_view(value)) {}
  LogField(absl::string_view key, const std::string& value)
      : LogField(key, absl::string_view(value)) {}
  LogField(absl::string_view key, bool value) : key_(key), value_(value) {}
  LogField(absl::string_view key, double value) : key_(key), value_(value) {}
  template <typename Integer,
            std::enable_if_t<std::is_integral<Integer>::value &&
                                 !std::is_same<Integer, bool>::value,
                             int> = 0>
  LogField(absl::string_view key, Integer value)
      : key_(key),
        value_(static_cast<std::conditional_t<std::is_signed<Integer>::value,
                                              std::int64_t, std::uint64_t>>(
            value)) {}

 private:
  friend class Logger;
  using Value = absl::variant<absl::string_view, bool, double, std::int64_t,
                              std::uint64_t>;

  absl::string_view key_;
  Value value_;
};

// How to log. A plain value.
struct LoggerOptions {
  // Which part of the plugin speaks; hosts show it before the message. May be
  // empty.
  std::string name = {};
  // Lines below it are not written. Everything, by default: it is the host that
  // chooses.
  LogLevel level = LogLevel::kTrace;
  // Where to. Not owned.
  int descriptor = 2;
};

// The plugin's log, in the form that go-plugin's hosts take apart: each line is
// hclog's JSON on stderr, so that the host's own log shows level, time, module
// and fields in place of a line of text.
//
// Example:
//   const goplugin::Logger log({"kv"});
//   log.Info("stored", {{"key", key}, {"bytes", value.size()}});
//   const goplugin::Logger cache = log.Named("cache").With({{"shard", 3}});
//   cache.Warn("full");              // module "kv.cache", field shard=3
//
// Any bytes may be logged: what is no UTF-8 becomes U+FFFD. A line is at most
// 60 KiB, since hosts give up on longer ones than 64 KiB: a longer message or
// field is cut, and the field "@truncated" says so; fields beyond it, and those
// of With beyond 10 KiB of them, are left out, and "@left_out" says how many. A
// key that begins with '@' gets a second one: those with one are hclog's.
//
// Thread safety: all methods may be called from any thread. A line is one
// write(2), and lines of a logger and of those made from it never mix. With
// other writers to the same descriptor (printf, another Logger) only lines of
// up to PIPE_BUF (4096) bytes are safe: the kernel may take longer ones in
// parts.
// Blocking: as any write to stderr, while the host does not read it.
// Lifetime: a value; copies share the descriptor. No global state: make one in
// main, and pass it on.
// Errors: none are told. A line that can't be written is lost; the next that
// can be has one before it, a warning with the number of "lines" lost. Where
// nobody reads a pipe any more its SIGPIPE is kept from the process.
class Logger {
 public:
  explicit Logger(LoggerOptions options = {});

  // A logger of a part: its name comes after this one's and a dot.
  Logger Named(absl::string_view name) const;
  // A logger that puts `fields` into each line, before the line's own.
  Logger With(std::initializer_list<LogField> fields) const;

  bool enabled(LogLevel level) const { return level >= level_; }

  void Log(LogLevel level, absl::string_view message,
           absl::Span<const LogField> fields = {}) const;
  void Trace(absl::string_view message,
             std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kTrace, message, fields);
  }
  void Debug(absl::string_view message,
             std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kDebug, message, fields);
  }
  void Info(absl::string_view message,
            std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kInfo, message, fields);
  }
  void Warn(absl::string_view message,
            std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kWarn, message, fields);
  }
  void Error(absl::string_view message,
             std::initializer_list<LogField> fields = {}) const {
    Log(LogLevel::kError, message, fields);
  }

 private:
  class Output;

  // What a line does not hold of what it was given.
  struct Cut {
    Cut& operator+=(const Cut& other) {
      shortened |= other.shortened;
      left_out += other.left_out;
      return *this;
    }

    bool shortened = false;    // a text
    std::size_t left_out = 0;  // fields
  };

  // Appends `fields` as ,"key":value while the line stays below `most`.
  static Cut AppendFields(absl::Span<const LogField> fields, std::size_t most,
                          std::string& line);

  std::shared_ptr<Output> output_;
  LogLevel level_;
  std::string name_;
  // What With was given, as it stands in each line, and what does not.
  std::string fields_;
  Cut cut_;
};

}  // namespace goplugin

#endif  // GOPLUGIN_LOGGER_H_
