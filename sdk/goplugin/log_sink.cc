#include "goplugin/log_sink.h"

#include <unistd.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/log/quiet_write.h"
#include "goplugin/internal/text/terminal.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin {
namespace {

// `text`, which may be anything, so that it neither ends the line nor steers a
// terminal.
std::string OnOneLine(absl::string_view text) {
  return internal::EscapeControlCharacters(text, "\t");
}

std::string Value(const std::string& value) {
  const bool plain =
      !value.empty() && value.find_first_of(" \t\r\n\"=") == std::string::npos;
  if (plain) return OnOneLine(value);
  return absl::StrCat("\"", OnOneLine(absl::Utf8SafeCEscape(value)), "\"");
}

// Writes lines whole, or what of them there is place for. A process has one
// stderr, and so one lock for it: the kernel takes long lines in parts.
class Stderr {
 public:
  // Never destroyed: sinks may be called while the process exits.
  static Stderr& Get() {
    static auto* const only = new Stderr;
    return *only;
  }

  void Write(absl::string_view line) {
    internal::MutexLock lock(mutex_);
    const std::string text = absl::StrCat(cut_ ? "\n" : "", line);
    const size_t written = internal::QuietWriteAll(STDERR_FILENO, text);
    if (written > 0) cut_ = written < text.size() && text[written - 1] != '\n';
  }

 private:
  absl::Mutex mutex_;
  // The last line was cut short.
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
};

class FunctionSink final : public LogSink {
 public:
  explicit FunctionSink(std::function<void(const LogEntry&)> log)
      : log_(std::move(log)) {}
  void Log(const LogEntry& entry) override { log_(entry); }

 private:
  const std::function<void(const LogEntry&)> log_;
};

}  // namespace

const char* LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::string ToString(const LogEntry& entry) {
  const std::string level =
      absl::StrCat("[", absl::AsciiStrToUpper(LogLevelName(entry.level)), "]");
  std::string line = absl::StrFormat("%-8s", level);
  if (!entry.module.empty()) {
    absl::StrAppend(&line, OnOneLine(entry.module), ": ");
  }
  absl::StrAppend(&line, OnOneLine(entry.message));
  const char* lead = ": ";
  for (const auto& [key, value] : entry.fields) {
    absl::StrAppend(&line, lead, OnOneLine(key), "=", Value(value));
    lead = " ";
  }
  return line;
}

std::shared_ptr<LogSink> MakeLogSink(std::function<void(const LogEntry&)> log) {
  return std::make_shared<FunctionSink>(std::move(log));
}

std::shared_ptr<LogSink> MakeStderrLogSink(std::string prefix) {
  return MakeLogSink([prefix = std::move(prefix)](const LogEntry& entry) {
    Stderr::Get().Write(absl::StrCat(prefix, ToString(entry), "\n"));
  });
}

}  // namespace goplugin
