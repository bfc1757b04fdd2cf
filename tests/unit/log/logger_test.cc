// What a Logger writes, as hosts read it.

#include "goplugin/logger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/internal/log/log_parser.h"
#include "gtest/gtest.h"

namespace goplugin {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

// More than that, and hosts read a line in pieces.
constexpr std::size_t kHostsLine = std::size_t{64} << 10;

// Of the 10 KiB that With may add: room for no other field.
constexpr std::size_t kAlmostAll = 9100;

class LoggerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/loggerXXXXXX";
    file_ = mkstemp(path);
    ASSERT_GE(file_, 0);
    unlink(path);
  }
  void TearDown() override { close(file_); }

  Logger MakeLogger(LoggerOptions options = {}) const {
    options.descriptor = file_;
    return Logger(std::move(options));
  }

  std::vector<std::string> Lines() const {
    std::string text(static_cast<std::size_t>(lseek(file_, 0, SEEK_END)), 0);
    EXPECT_EQ(pread(file_, &text[0], text.size(), 0),
              static_cast<ssize_t>(text.size()));
    if (text.empty()) return {};
    EXPECT_EQ(text.back(), '\n');
    text.pop_back();
    return absl::StrSplit(text, '\n');
  }

  // The only line, as a host reads it.
  LogEntry Entry() const {
    const std::vector<std::string> lines = Lines();
    EXPECT_THAT(lines, SizeIs(1));
    if (lines.empty()) return {};
    EXPECT_LT(lines.front().size(), kHostsLine);
    return internal::LogParser().Parse(lines.front(), /*is_piece=*/false);
  }

  int file_ = -1;
};

TEST_F(LoggerTest, HostsSeeLevelModuleTimeAndFields) {
  const absl::Time before = absl::Now();
  MakeLogger({"kv"}).Warn("no such key",
                          {{"key", "hello"},
                           {"text", std::string("x")},
                           {"bytes", 17},
                           {"least", std::numeric_limits<int64_t>::min()},
                           {"most", std::numeric_limits<uint64_t>::max()},
                           {"cached", true},
                           {"ratio", 0.1},
                           {"third", 1.0 / 3},
                           {"nan", std::nan("")}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.level, LogLevel::kWarn);
  EXPECT_EQ(entry.message, "no such key");
  EXPECT_EQ(entry.module, "kv");
  ASSERT_TRUE(entry.timestamp.has_value());
  EXPECT_GE(*entry.timestamp, before - absl::Microseconds(1));
  EXPECT_LE(*entry.timestamp, absl::Now());
  EXPECT_THAT(
      entry.fields,
      ElementsAre(Pair("key", "hello"), Pair("text", "x"), Pair("bytes", "17"),
                  Pair("least", "-9223372036854775808"),
                  Pair("most", "18446744073709551615"), Pair("cached", "true"),
                  Pair("ratio", "0.1"), Pair("third", "0.3333333333333333"),
                  Pair("nan", "nan")));
}

TEST_F(LoggerTest, EveryLevelHasItsName) {
  const Logger log = MakeLogger();
  log.Trace("0");
  log.Debug("1");
  log.Info("2");
  log.Warn("3");
  log.Error("4");
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(5));
  for (int i = 0; i < 5; ++i) {
    const LogEntry entry = internal::LogParser().Parse(lines[i], false);
    EXPECT_EQ(static_cast<int>(entry.level), i);
    EXPECT_EQ(entry.message, absl::StrCat(i));
    EXPECT_THAT(entry.module, IsEmpty());
  }
}

TEST_F(LoggerTest, LevelsBelowTheChosenOneAreNotWritten) {
  LoggerOptions options;
  options.level = LogLevel::kWarn;
  const Logger log = MakeLogger(options).Named("part").With({{"a", 1}});
  EXPECT_FALSE(log.enabled(LogLevel::kInfo));
  EXPECT_TRUE(log.enabled(LogLevel::kWarn));
  log.Info("no");
  log.Error("yes");
  EXPECT_EQ(Entry().message, "yes");
}

TEST_F(LoggerTest, NamesAndCommonFieldsAddUp) {
  const Logger kv = MakeLogger({"kv"}).With({{"shard", 3}});
  kv.Named("cache").With({{"size", "big"}}).Info("full", {{"own", false}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.module, "kv.cache");
  EXPECT_THAT(entry.fields, ElementsAre(Pair("shard", "3"), Pair("size", "big"),
                                        Pair("own", "false")));
}

TEST_F(LoggerTest, AnyBytesStayOneLineOfJson) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  MakeLogger({bytes}).Info(bytes + "x", {{bytes, bytes}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.level, LogLevel::kInfo);
  EXPECT_THAT(entry.message, EndsWith("\ufffdx"));
  EXPECT_THAT(entry.fields, SizeIs(1));
}

// Nobody can pass a field off as hclog's own.
TEST_F(LoggerTest, ReservedKeysAreKeptApart) {
  MakeLogger().Info("real", {{"@message", "forged"}, {"@level", "error"}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.level, LogLevel::kInfo);
  EXPECT_EQ(entry.message, "real");
  EXPECT_THAT(entry.fields, ElementsAre(Pair("@@message", "forged"),
                                        Pair("@@level", "error")));
}

TEST_F(LoggerTest, TooLongALineIsCutAndSaysSo) {
  const std::string huge(200 << 10, '\x01');
  const Logger log = MakeLogger({huge}).With({{"common", huge}});
  log.Info(huge, {{huge, huge}, {"next", huge}, {"last", 1}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.level, LogLevel::kInfo);
  EXPECT_THAT(entry.message, StartsWith("\x01\x01"));
  EXPECT_THAT(entry.message, EndsWith("..."));
  ASSERT_FALSE(entry.fields.empty());
  EXPECT_EQ(entry.fields.front().first, "common");
  EXPECT_THAT(entry.fields.back(), Pair("@truncated", "true"));
}

// The line says how many.
TEST_F(LoggerTest, FieldsLeftOutAreCounted) {
  const std::string long_text(kAlmostAll, 'x');
  const Logger log = MakeLogger()
                         .With({{"kept", long_text}, {"two", 2}, {"three", 3}})
                         .With({{"four", 4}});
  const std::string half(30 << 10, 'x');
  log.Info("full", {{"own", half}, {"more", half}, {"last", 1}, {"end", 1}});
  const LogEntry entry = Entry();
  EXPECT_THAT(entry.fields,
              ElementsAre(Pair("kept", long_text), Pair("own", half),
                          Pair("more", EndsWith("...")), Pair("@left_out", "5"),
                          Pair("@truncated", "true")));
}

TEST_F(LoggerTest, WhatWithLeavesOutIsCountedInEachLine) {
  const Logger log =
      MakeLogger().With({{"kept", std::string(kAlmostAll, 'x')}, {"two", 2}});
  log.Info("short");
  EXPECT_THAT(Entry().fields, ElementsAre(Pair("kept", SizeIs(kAlmostAll)),
                                          Pair("@left_out", "1")));
}

TEST_F(LoggerTest, ALongMessageIsKept) {
  const std::string text(20000, 'x');
  MakeLogger().Info(text, {{"text", text}});
  const LogEntry entry = Entry();
  EXPECT_EQ(entry.message, text);
  EXPECT_THAT(entry.fields, ElementsAre(Pair("text", text)));
}

}  // namespace
}  // namespace goplugin
