#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/log_sink.h"
#include "tests/benchmarks/benches.h"
#include "tests/benchmarks/report.h"
#include "tests/benchmarks/session.h"

namespace goplugin::benchmarks {
namespace {

// Counts the lines of a flood as they arrive, or its bytes, and what the SDK
// says that it dropped.
class Tally final : public LogSink, public StdioSink {
 public:
  // Before each flood.
  void Expect(std::int64_t count) {
    dropped_ = 0;
    left_ = count;
  }

  // What the plugin says at its start may come late, and does not count.
  void Log(const LogEntry& entry) override {
    if (entry.source == LogEntry::Source::kSdk) {
      CountDropped(entry.message);
    } else if (absl::StartsWith(entry.message, "stored a value") ||
               absl::StartsWith(entry.message, "listening for requests")) {
      Count(1);
    }
  }

  void Write(const StdioChunk& chunk) override {
    if (!chunk.raw) Count(static_cast<std::int64_t>(chunk.data.size()));
  }

  // Until everything has arrived or was dropped.
  absl::Status Wait() {
    internal::MutexLock lock(mutex_);
    const bool done = mutex_.AwaitWithTimeout(
        absl::Condition(this, &Tally::Complete), absl::Minutes(1));
    if (done) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat(left_.load(), " have not arrived"));
  }

  std::int64_t dropped() const { return dropped_; }

 private:
  // "123 entries of logs or output were dropped: ...".
  void CountDropped(absl::string_view message) {
    std::int64_t entries = 0;
    const absl::string_view number = message.substr(0, message.find(' '));
    if (!absl::StrContains(message, " dropped") ||
        !absl::SimpleAtoi(number, &entries)) {
      return;
    }
    dropped_ += entries;
    Count(entries);
  }

  void Count(std::int64_t count) {
    if (left_.fetch_sub(count) != count) return;
    // The lock makes a waiting Wait look.
    const internal::MutexLock lock(mutex_);
  }

  bool Complete() const { return left_ == 0; }

  absl::Mutex mutex_;
  std::atomic<std::int64_t> left_{0};
  std::atomic<std::int64_t> dropped_{0};
};

void Flood(const Flags& flags, const Kv& kv, Tally& tally, int count) {
  tally.Expect(count);
  kv.Get(absl::StrCat("!flood-", flags.output, ":", count));
  Must(tally.Wait());
}

}  // namespace

void MeasureOutput(const Flags& flags) {
  if (flags.output.empty()) return;
  const auto tally = std::make_shared<Tally>();
  ClientOptions options = OptionsOf(flags);
  options.log_sink = tally;
  if (flags.output == "stdout") options.stdio_sink = tally;
  const Session session = Launch(flags, options);
  Flood(flags, *session.kv, *tally, flags.count / 10 + 1);  // warms up
  const Usage before = Usage::Now();
  const absl::Duration begin = Clock();
  Flood(flags, *session.kv, *tally, flags.count);
  const absl::Duration wall = Clock() - begin;
  JsonLine("output", flags.auto_mtls)
      .Add("output", flags.output)
      .Add("count", std::int64_t{flags.count})
      .Add("dropped", tally->dropped())
      .Add("wall_us", Microseconds(wall))
      .Add("host_cpu_us",
           Microseconds(Usage::Now().processor - before.processor))
      .Add("per_second", flags.count / absl::ToDoubleSeconds(wall))
      .Print();
}

}  // namespace goplugin::benchmarks
