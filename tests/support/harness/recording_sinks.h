#ifndef TESTS_SUPPORT_HARNESS_RECORDING_SINKS_H_
#define TESTS_SUPPORT_HARNESS_RECORDING_SINKS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/log_sink.h"

namespace goplugin::testing {

// How long a test waits for something that must come.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Keeps the entries it gets. Thread-safe.
class RecordingLogSink : public LogSink {
 public:
  void Log(const LogEntry& entry) override {
    internal::MutexLock lock(mutex_);
    entries_.push_back(entry);
  }

  std::vector<LogEntry> entries() const {
    internal::MutexLock lock(mutex_);
    return entries_;
  }

  // Whether an entry that `wanted` likes comes in time.
  bool WaitFor(const std::function<bool(const LogEntry&)>& wanted) const {
    // Asked again with each entry: of a flood, all of it every time takes
    // longer than the patience where it is instrumented.
    std::size_t seen = 0;
    const auto found = [&] {
      mutex_.AssertReaderHeld();
      while (seen < entries_.size() && !wanted(entries_[seen])) ++seen;
      return seen < entries_.size();
    };
    internal::MutexLock lock(mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&found), kPatience);
  }

  bool WaitForMessage(const std::string& part) const {
    return WaitFor([&](const LogEntry& entry) {
      return entry.message.find(part) != std::string::npos;
    });
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<LogEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

// Keeps the bytes it gets, those from the process's own pipe apart.
// Thread-safe.
class RecordingStdioSink : public StdioSink {
 public:
  void Write(const StdioChunk& chunk) override {
    internal::MutexLock lock(mutex_);
    (chunk.raw ? raw_ : piped_).append(chunk.data.data(), chunk.data.size());
  }

  std::string raw() const {
    internal::MutexLock lock(mutex_);
    return raw_;
  }
  // What came over GRPCStdio.
  std::string piped() const {
    internal::MutexLock lock(mutex_);
    return piped_;
  }

  bool WaitForRaw(const std::string& part) const {
    return WaitForPart(&RecordingStdioSink::raw_, part);
  }
  bool WaitForPiped(const std::string& part) const {
    return WaitForPart(&RecordingStdioSink::piped_, part);
  }

 private:
  bool WaitForPart(std::string RecordingStdioSink::*text,
                   const std::string& part) const {
    const auto found = [&] {
      return (this->*text).find(part) != std::string::npos;
    };
    internal::MutexLock lock(mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&found), kPatience);
  }

  mutable absl::Mutex mutex_;
  std::string raw_ ABSL_GUARDED_BY(mutex_);
  std::string piped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_RECORDING_SINKS_H_
