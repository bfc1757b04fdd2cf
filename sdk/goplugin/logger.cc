#include "goplugin/logger.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "absl/types/variant.h"
#include "goplugin/internal/log/json_text.h"
#include "goplugin/internal/log/quiet_write.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin {
namespace {

using internal::AppendJsonString;

// Hosts, go-plugin's and ours, read lines in pieces of 64 KiB, and take none
// apart that comes in two.
constexpr std::size_t kMaxLine = std::size_t{60} << 10;
constexpr std::size_t kMaxMessage = std::size_t{30} << 10;
// Of all that With was given, and of a module's name and a field's.
constexpr std::size_t kMaxCommonFields = std::size_t{10} << 10;
constexpr std::size_t kMaxName = 1024;
// What a field takes besides key and value: , : and the mark and end of a line.
constexpr absl::string_view kTruncated = ",\"@truncated\":true";
constexpr absl::string_view kLeftOut = ",\"@left_out\":";
constexpr std::size_t kMaxDigits = 20;
constexpr std::size_t kReserve =
    2 + kTruncated.size() + kLeftOut.size() + kMaxDigits + 2;

// A value's JSON, of at most `room` bytes for texts. True when all of it
// fitted.
struct AppendValue {
  std::size_t room;
  std::string& out;

  bool operator()(absl::string_view text) const {
    return AppendJsonString(text, room, out);
  }
  bool operator()(bool value) const {
    absl::StrAppend(&out, value ? "true" : "false");
    return true;
  }
  bool operator()(double value) const {
    // JSON has no word for the others.
    if (!std::isfinite(value)) {
      return (*this)(absl::string_view(absl::StrCat(value)));
    }
    // 15 digits are what people write; 17 are enough for any double.
    const std::string text = absl::StrFormat("%.15g", value);
    double back = 0;
    out += absl::SimpleAtod(text, &back) && back == value
               ? text
               : absl::StrFormat("%.17g", value);
    return true;
  }
  template <typename Integer>
  bool operator()(Integer value) const {
    absl::StrAppend(&out, value);
    return true;
  }
};

std::string NowAsJson() {
  return absl::StrCat("\"",
                      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(),
                                       absl::UTCTimeZone()),
                      "\"");
}

}  // namespace

// The descriptor, one line at a time.
class Logger::Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}

  // The lock is for lines that the kernel takes in parts.
  void Write(absl::string_view line) {
    internal::MutexLock lock(mutex_);
    if (lost_ > 0 && WriteAll(LostNote())) lost_ = 0;
    if (lost_ > 0 || !WriteAll(line)) ++lost_;
  }

 private:
  std::string LostNote() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return absl::StrCat(R"({"@level":"warn","@message":")",
                        "log lines before this one could not be written",
                        R"(","@timestamp":)", NowAsJson(), R"(,"lines":)",
                        lost_, "}\n");
  }

  bool WriteAll(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!line.empty()) {
      const ssize_t written = internal::QuietWrite(descriptor_, line);
      if (written >= 0) {
        line.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {
        // Somebody who shares the descriptor has made it non-blocking.
        pollfd writable = {descriptor_, POLLOUT, 0};
        poll(&writable, 1, /*timeout=*/-1);
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  absl::Mutex mutex_;
  const int descriptor_;
  // Lines since the last that could be written.
  std::uint64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
};

Logger::Logger(LoggerOptions options)
    : output_(std::make_shared<Output>(options.descriptor)),
      level_(options.level),
      name_(std::move(options.name)) {}

Logger Logger::Named(absl::string_view name) const {
  Logger named = *this;
  if (!named.name_.empty()) named.name_ += '.';
  absl::StrAppend(&named.name_, name);
  return named;
}

Logger Logger::With(std::initializer_list<LogField> fields) const {
  Logger with = *this;
  with.cut_ += AppendFields(fields, kMaxCommonFields, with.fields_);
  return with;
}

void Logger::Log(LogLevel level, absl::string_view message,
                 absl::Span<const LogField> fields) const {
  if (!enabled(level)) return;
  std::string line =
      absl::StrCat("{\"@level\":\"", LogLevelName(level), "\",\"@message\":");
  Cut cut = cut_;
  cut.shortened |= !AppendJsonString(message, kMaxMessage, line);
  if (!name_.empty()) {
    line += ",\"@module\":";
    cut.shortened |= !AppendJsonString(name_, kMaxName, line);
  }
  absl::StrAppend(&line, ",\"@timestamp\":", NowAsJson(), fields_);
  cut += AppendFields(fields, kMaxLine, line);
  if (cut.left_out > 0) absl::StrAppend(&line, kLeftOut, cut.left_out);
  if (cut.shortened) absl::StrAppend(&line, kTruncated);
  line += "}\n";
  output_->Write(line);
}

Logger::Cut Logger::AppendFields(absl::Span<const LogField> fields,
                                 std::size_t most, std::string& line) {
  Cut cut;
  for (const LogField& field : fields) {
    const std::size_t room = most - std::min(most, line.size() + kReserve);
    // Room for the key, and for a number or some of a text. After the first
    // that has none, none has: what is left out is the end of the list.
    if (cut.left_out > 0 || room < kMaxName + 64) {
      ++cut.left_out;
      continue;
    }
    line += ',';
    const bool reserved = absl::StartsWith(field.key_, "@");
    cut.shortened |= !AppendJsonString(
        reserved ? absl::StrCat("@", field.key_) : std::string(field.key_),
        kMaxName, line);
    line += ':';
    // Unqualified: absl::variant is std::variant today, and was not in 2022.
    cut.shortened |= !visit(AppendValue{room - kMaxName, line}, field.value_);
  }
  return cut;
}

}  // namespace goplugin
