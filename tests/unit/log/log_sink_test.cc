#include "goplugin/log_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace goplugin {
namespace {

LogEntry Entry(LogLevel level, std::string module, std::string message) {
  LogEntry entry;
  entry.level = level;
  entry.module = std::move(module);
  entry.message = std::move(message);
  return entry;
}

TEST(LogEntryTest, ReadsAsHclogWritesIt) {
  LogEntry entry = Entry(LogLevel::kInfo, "kv.cache", "stored");
  EXPECT_EQ(ToString(entry), "[INFO]  kv.cache: stored");
  entry.fields = {{"key", "hello"}, {"bytes", "17"}};
  EXPECT_EQ(ToString(entry), "[INFO]  kv.cache: stored: key=hello bytes=17");
  EXPECT_EQ(ToString(Entry(LogLevel::kError, "", "lost")), "[ERROR] lost");
  EXPECT_EQ(ToString(Entry(LogLevel::kTrace, "", "")), "[TRACE] ");
}

TEST(LogEntryTest, OneEntryIsOneLineThatSteersNoTerminal) {
  LogEntry entry = Entry(LogLevel::kWarn, "a\nb", "one\ntwo\x1b[31m\ttab");
  entry.fields = {{"k\r", "v\n"}, {"empty", ""}, {"quoted", "a \"b\""}};
  EXPECT_EQ(ToString(entry),
            "[WARN]  a\\nb: one\\ntwo\\x1b[31m\ttab: k\\r=\"v\\n\" "
            "empty=\"\" quoted=\"a \\\"b\\\"\"");
  // UTF-8 stays; its control characters (CSI) do not.
  EXPECT_EQ(ToString(Entry(LogLevel::kDebug, "",
                           "\xc3\xa4 \xc2\x9b"
                           "1m")),
            "[DEBUG] \xc3\xa4 \\xc2\\x9b1m");
}

TEST(LogSinkTest, AFunctionIsASink) {
  std::vector<std::string> messages;
  const std::shared_ptr<LogSink> sink = MakeLogSink(
      [&](const LogEntry& entry) { messages.push_back(entry.message); });
  sink->Log(Entry(LogLevel::kInfo, "", "one"));
  sink->Log(Entry(LogLevel::kInfo, "", "two"));
  EXPECT_EQ(messages, (std::vector<std::string>{"one", "two"}));
}

TEST(LogSinkTest, StderrGetsALineForEachEntry) {
  const std::shared_ptr<LogSink> plain = MakeStderrLogSink();
  const std::shared_ptr<LogSink> named = MakeStderrLogSink("kv: ");
  ::testing::internal::CaptureStderr();
  plain->Log(Entry(LogLevel::kInfo, "", "a"));
  named->Log(Entry(LogLevel::kWarn, "cache", "b\nc"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "[INFO]  a\nkv: [WARN]  cache: b\\nc\n");
}

// A pipe in the place of this process's stderr.
class StderrPipe {
 public:
  StderrPipe() : before_(dup(2)) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(dup2(ends[1], 2), 2);
    close(ends[1]);
    read_end_ = ends[0];
  }
  ~StderrPipe() {
    Restore();
    close(read_end_);
  }
  // Its end.
  void Restore() {
    if (before_ < 0) return;
    dup2(before_, 2);
    close(before_);
    before_ = -1;
  }
  void CloseReadEnd() {
    close(read_end_);
    read_end_ = -1;
  }
  // Until its end, or, of one that does not block, what is there.
  std::string Read() const {
    std::string all;
    std::array<char, 1000> buffer;
    ssize_t size = 0;
    while ((size = read(read_end_, buffer.data(), buffer.size())) > 0) {
      all.append(buffer.data(), static_cast<size_t>(size));
    }
    return all;
  }
  void DoNotBlock() const {
    fcntl(2, F_SETFL, O_NONBLOCK);
    fcntl(read_end_, F_SETFL, O_NONBLOCK);
  }

 private:
  int before_;
  int read_end_ = -1;
};

// In somebody else's process: its stderr may be a pipe that nobody reads.
TEST(LogSinkTest, AStderrThatNobodyReadsDoesNoHarm) {
  StderrPipe pipe;
  pipe.CloseReadEnd();
  MakeStderrLogSink()->Log(Entry(LogLevel::kInfo, "", "lost"));
}

// The kernel takes a line that is longer than a pipe's PIPE_BUF in parts.
TEST(LogSinkTest, LongLinesOfSeveralSinksDoNotMix) {
  StderrPipe pipe;
  std::string all;
  std::thread reader([&] { all = pipe.Read(); });
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b'}) {
    writers.emplace_back([letter] {
      const auto sink = MakeStderrLogSink(std::string(1, letter) + ": ");
      for (int i = 0; i < 50; ++i) {
        sink->Log(Entry(LogLevel::kInfo, "", std::string(60000, letter)));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  pipe.Restore();
  reader.join();
  int whole = 0;
  for (const auto line : absl::StrSplit(all, '\n', absl::SkipEmpty())) {
    const std::string text = std::string(line);
    whole += text == text.substr(0, 1) + ": [INFO]  " +
                         std::string(60000, text.front())
                 ? 1
                 : 0;
  }
  EXPECT_EQ(whole, 100);
}

TEST(LogSinkTest, WhatAFullPipeCutsShortIsALineOfItsOwn) {
  StderrPipe pipe;
  pipe.DoNotBlock();
  const auto sink = MakeStderrLogSink();
  for (int i = 0; i < 3; ++i) {
    sink->Log(Entry(LogLevel::kInfo, "", std::string(40000, 'a')));
  }
  const std::string first = pipe.Read();
  EXPECT_FALSE(absl::EndsWith(first, "\n"));
  sink->Log(Entry(LogLevel::kInfo, "", "short"));
  sink->Log(Entry(LogLevel::kInfo, "", "next"));
  EXPECT_EQ(pipe.Read(), "\n[INFO]  short\n[INFO]  next\n");
}

}  // namespace
}  // namespace goplugin
