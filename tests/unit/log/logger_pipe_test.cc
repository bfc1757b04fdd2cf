// A Logger at a pipe: many writers, and nobody who reads.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/logger.h"
#include "gtest/gtest.h"

namespace goplugin {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

// A pipe takes long lines in parts, and one that is non-blocking refuses some.
TEST(LoggerPipeTest, LinesOfManyThreadsDoNotMix) {
  constexpr int kThreads = 4;
  constexpr int kLines = 50;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  std::string text;
  std::thread reader([&] {
    char buffer[1000];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
  });
  {
    LoggerOptions options;
    options.descriptor = ends[1];
    const Logger log(options);
    std::vector<std::thread> writers;
    for (int i = 0; i < kThreads; ++i) {
      writers.emplace_back([part = log.Named(absl::StrCat("t", i)), i] {
        const std::string message(20000, static_cast<char>('a' + i));
        for (int n = 0; n < kLines; ++n) part.Info(message);
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);

  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  ASSERT_THAT(lines, SizeIs(kThreads * kLines + 1));
  for (int n = 0; n < kThreads * kLines; ++n) {
    const LogEntry entry = internal::LogParser().Parse(lines[n], false);
    ASSERT_THAT(entry.module, SizeIs(2));
    ASSERT_EQ(
        entry.message,
        std::string(20000, static_cast<char>('a' + entry.module[1] - '0')));
  }
}

TEST(LoggerPipeTest, NobodyToReadIsNoError) {
  LoggerOptions options;
  options.descriptor = -1;
  Logger(options).Error("lost");
}

// A pipe that is open for reading at times.
class BrokenPipeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/loggerXXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    path_ = directory_ + "/pipe";
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    OpenToRead();
    options_.descriptor = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(options_.descriptor, 0);
    CloseToRead();
  }
  void TearDown() override {
    close(options_.descriptor);
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  void OpenToRead() {
    reader_ = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(reader_, 0);
  }
  void CloseToRead() const { close(reader_); }
  std::vector<std::string> Read() const {
    char buffer[4096];
    const ssize_t size = read(reader_, buffer, sizeof buffer);
    return absl::StrSplit(
        absl::string_view(buffer, size < 0 ? 0 : static_cast<size_t>(size)),
        '\n', absl::SkipEmpty());
  }

  std::string directory_;
  std::string path_;
  int reader_ = -1;
  LoggerOptions options_;
};

TEST_F(BrokenPipeTest, KillsNobodyAndTheLostLinesAreCounted) {
  const Logger log(options_);
  log.Info("lost");
  log.Named("part").Info("lost as well");
  OpenToRead();
  log.Info("heard");
  log.Info("and again");
  const std::vector<std::string> lines = Read();
  CloseToRead();
  ASSERT_THAT(lines, SizeIs(3));
  const LogEntry note = internal::LogParser().Parse(lines[0], false);
  EXPECT_EQ(note.level, LogLevel::kWarn);
  EXPECT_EQ(note.message, "log lines before this one could not be written");
  EXPECT_THAT(note.fields, ElementsAre(Pair("lines", "2")));
  EXPECT_EQ(internal::LogParser().Parse(lines[1], false).message, "heard");
  EXPECT_EQ(internal::LogParser().Parse(lines[2], false).message, "and again");
}

// The caller's own SIGPIPE stays his, and his mask as well.
TEST_F(BrokenPipeTest, LeavesTheSignalAsItWas) {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const auto is_pending = [] {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
  };
  const auto is_blocked = [] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, SIGPIPE) == 1;
  };
  const Logger log(options_);
  log.Info("lost");
  EXPECT_FALSE(is_blocked());
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &pipe, nullptr), 0);
  log.Info("lost");
  EXPECT_FALSE(is_pending());
  raise(SIGPIPE);
  log.Info("lost");
  EXPECT_TRUE(is_pending());
  EXPECT_TRUE(is_blocked());
  const timespec at_once = {};
  EXPECT_EQ(sigtimedwait(&pipe, nullptr, &at_once), SIGPIPE);
  ASSERT_EQ(pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr), 0);
}

}  // namespace
}  // namespace goplugin
