#include "goplugin/internal/start/log_pipeline.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/log/line_splitter.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/start/plugin_output.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/log_sink.h"
#include "gtest/gtest.h"
#include "tests/support/loop/run_on_loop.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxThreads = 4;

// Does not return while it is held, as a terminal under Ctrl-S.
class HeldSink : public LogSink {
 public:
  void Log(const LogEntry& entry) override {
    MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(
        +[](bool* held) { return !*held; }, &held_));
    messages_.push_back(entry.message);
    entries_.push_back(entry);
  }
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
  }
  std::vector<std::string> messages() {
    MutexLock lock(mutex_);
    return messages_;
  }
  std::vector<LogEntry> entries() {
    MutexLock lock(mutex_);
    return entries_;
  }

 private:
  absl::Mutex mutex_;
  bool held_ = false;
  std::vector<std::string> messages_;
  std::vector<LogEntry> entries_;
};

class LogPipelineTest : public ::testing::Test {
 protected:
  ~LogPipelineTest() override {
    sink_->Hold(false);
    Run([this] { output_.reset(); });
  }

  void Run(std::function<void()> task) { testing::RunOnLoop(loop_, task); }

  void Stderr(const std::string& bytes) {
    Run([&] { output_->OnStderr(bytes); });
  }

  // True when all was parsed; how long it took in `took`.
  bool Finish(absl::Duration* took = nullptr) {
    const auto done = std::make_shared<absl::Notification>();
    const absl::Time start = absl::Now();
    Run([&] { output_->FinishStderr([done] { done->Notify(); }); });
    const bool finished =
        done->WaitForNotificationWithTimeout(absl::Seconds(20));
    if (took != nullptr) *took = absl::Now() - start;
    return finished;
  }

  std::string Panic() {
    ErrorDetails details;
    Run([&] { output_->AddEvidence(details); });
    return details.panic;
  }

  // Takes every thread that the pool may have, until what it gives is notified.
  // Shared: they may still be in their wait when the test goes on.
  std::shared_ptr<absl::Notification> StickThePool() {
    auto release = std::make_shared<absl::Notification>();
    for (size_t i = 0; i < kMaxThreads; ++i) {
      const auto stuck = std::make_shared<absl::Notification>();
      Lane::Create(pool_)->Post([stuck, release] {
        stuck->Notify();
        release->WaitForNotification();
      });
      stuck->WaitForNotification();
    }
    return release;
  }

  EventLoop loop_;
  Pool pool_{loop_, "goplugin-work", kMaxThreads};
  size_t dropped_ = 0;  // on the sink's queue
  const std::shared_ptr<Lane> queue_ = std::make_shared<Lane>(
      pool_, [this](size_t dropped) { dropped_ += dropped; });
  const std::shared_ptr<HeldSink> sink_ = std::make_shared<HeldSink>();
  std::unique_ptr<PluginOutput> output_ = std::make_unique<PluginOutput>(
      OutputSinks{sink_, nullptr, nullptr}, loop_, pool_, queue_);
};

// Entries' memory is used again.
TEST_F(LogPipelineTest, NothingOfAnEntryIsInALaterOne) {
  const std::vector<std::string> lines = {
      R"({"@level":"warn","@message":"rich","@module":"a.module.of.some.length",)"
      R"("@timestamp":"2026-01-02T03:04:05Z","key":"value","other":"another"})",
      "plain",
      "2026-01-02T03:04:05Z [ERROR] module: " + std::string(300, 'x'),
      "panic: it is an error",
      std::string(70000, 'y'),
      "short",
  };
  LogParser parser;
  std::vector<LogEntry> want;
  for (size_t round = 0; round < 60; ++round) {
    std::string bytes;
    // Each kind comes to each place.
    for (size_t i = 0; i < 8; ++i) {
      const std::string& line = lines[(round + i * i) % lines.size()];
      absl::StrAppend(&bytes, line, "\n");
      if (line.size() <= LineSplitter::kMaxLineBytes) {
        want.push_back(parser.Parse(line, /*is_piece=*/false));
        continue;
      }
      constexpr size_t kPiece = LineSplitter::kMaxLineBytes;
      want.push_back(parser.Parse(line.substr(0, kPiece), /*is_piece=*/true));
      want.back().continues = true;
      want.push_back(parser.Parse(line.substr(kPiece), /*is_piece=*/true));
    }
    Stderr(bytes);
    // Not in one batch, nor one after the other.
    if (round % 3 == 0) absl::SleepFor(absl::Milliseconds(1));
  }
  ASSERT_TRUE(Finish());
  absl::Notification told;
  queue_->Post([&] { told.Notify(); });
  told.WaitForNotification();
  ASSERT_EQ(dropped_, 0u);
  const std::vector<LogEntry> entries = sink_->entries();
  ASSERT_EQ(entries.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(entries[i].level, want[i].level) << i;
    EXPECT_EQ(entries[i].message, want[i].message) << i;
    EXPECT_EQ(entries[i].fields, want[i].fields) << i;
    EXPECT_EQ(entries[i].module, want[i].module) << i;
    EXPECT_EQ(entries[i].timestamp, want[i].timestamp) << i;
    EXPECT_EQ(entries[i].continues, want[i].continues) << i;
  }
}

TEST_F(LogPipelineTest, FinishComesBehindEverything) {
  std::vector<std::string> want;
  for (int i = 0; i < 5000; ++i) {
    want.push_back(absl::StrCat("line ", i));
    Stderr(absl::StrCat(want.back(), i < 4999 ? "\n" : ""));
  }
  ASSERT_TRUE(Finish());
  absl::Notification behind;
  queue_->Post([&] { behind.Notify(); });
  behind.WaitForNotification();
  EXPECT_EQ(sink_->messages(), want);
}

// A batch of lines is one callback; a sink that takes them slowly moves.
TEST_F(LogPipelineTest, EachEntryIsProgress) {
  const std::uint64_t before = queue_->progress();
  Stderr("one\ntwo\nthree\n");
  ASSERT_TRUE(Finish());
  absl::Notification behind;
  std::uint64_t after = 0;
  queue_->Post([&] {
    after = queue_->progress();
    behind.Notify();
  });
  behind.WaitForNotification();
  EXPECT_GE(after - before, 3u);
}

TEST_F(LogPipelineTest, AStuckSinkHoldsUpNeitherParsingNorTheEnd) {
  sink_->Hold(true);
  Stderr("a line\n");
  for (int i = 0; i < 100; ++i) Stderr(std::string(100000, 'x') + "\n");
  Stderr("panic: the cause\nthe stack\n");
  absl::Duration took;
  ASSERT_TRUE(Finish(&took));
  EXPECT_LT(took, absl::Seconds(10));
  EXPECT_EQ(Panic(), "panic: the cause\nthe stack");
}

TEST_F(LogPipelineTest, WhatWaitsForTheParserIsBounded) {
  const std::shared_ptr<absl::Notification> release = StickThePool();
  bool room = true;
  absl::Notification resumed;
  size_t fed = 0;
  const std::string piece(size_t{64} * 1024 - 1, 'x');
  while (room) {
    Run([&] {
      output_->OnStderr(piece + "\n");
      fed += piece.size();
      room = output_->HasRoom([&] { resumed.Notify(); });
    });
    ASSERT_LT(fed, 2 * LogPipeline::kMaxWaiting);
  }
  EXPECT_GE(fed, LogPipeline::kMaxWaiting - piece.size());
  EXPECT_FALSE(resumed.HasBeenNotified());
  release->Notify();
  resumed.WaitForNotification();
  ASSERT_TRUE(Finish());
}

// However little a plugin writes at a time.
TEST_F(LogPipelineTest, WhatWaitsForTheParserIsBoundedOfShortLinesToo) {
  const std::shared_ptr<absl::Notification> release = StickThePool();
  size_t writes = 0;
  Run([&] {
    while (output_->HasRoom([] {}) && writes < LogPipeline::kMaxWaiting) {
      output_->OnStderr("x\n");
      ++writes;
    }
  });
  // Each takes a hundred bytes and more.
  EXPECT_LE(writes, LogPipeline::kMaxWaiting / 100);
  release->Notify();
  ASSERT_TRUE(Finish());
}

TEST_F(LogPipelineTest, FieldsCountAsWhatTheyTake) {
  sink_->Hold(true);
  std::string line = R"({"@message":"many")";
  constexpr size_t kFields = 1000;
  for (size_t i = 0; i < kFields; ++i) line += R"(,"a":1)";
  constexpr size_t kLines = 1000;
  for (size_t i = 0; i < kLines; ++i) Stderr(line + "}\n");
  // A slow parser would go on behind an end that waited long enough.
  absl::Duration took;
  do {
    ASSERT_TRUE(Finish(&took));
  } while (took >= LogPipeline::kLongestFinish);
  sink_->Hold(false);
  absl::Notification behind;
  queue_->Post([&] { behind.Notify(); });
  behind.WaitForNotification();
  EXPECT_LE(sink_->messages().size() * kFields *
                sizeof(std::pair<std::string, std::string>),
            Lane::kMaxDroppableBytes);
}

TEST_F(LogPipelineTest, AStuckPoolHoldsUpTheEndForASecond) {
  const std::shared_ptr<absl::Notification> release = StickThePool();
  Stderr("a line\n");
  absl::Duration took;
  EXPECT_TRUE(Finish(&took));
  EXPECT_GE(took, LogPipeline::kLongestFinish);
  release->Notify();
  ASSERT_TRUE(Finish());
}

TEST_F(LogPipelineTest, NotesWithoutEndAreBounded) {
  sink_->Hold(true);
  output_->Note(LogLevel::kWarn, "the first");
  constexpr size_t kNotes = 1000;
  const std::string text(size_t{64} * 1024, 'n');
  for (size_t i = 0; i < kNotes; ++i) output_->Note(LogLevel::kWarn, text);
  sink_->Hold(false);
  absl::Notification behind;
  size_t dropped = 0;
  queue_->Post([&] {
    dropped = dropped_;
    behind.Notify();
  });
  behind.WaitForNotification();
  const std::vector<std::string> messages = sink_->messages();
  EXPECT_EQ(messages.front(), "the first");
  EXPECT_EQ(messages.size() + dropped, kNotes + 1);
  EXPECT_LE(messages.size() * text.size(),
            Lane::kMaxDroppableBytes +
                (PluginOutput::kMaxFirmNotes + 1) * text.size());
  EXPECT_GE(messages.size(), size_t{PluginOutput::kMaxFirmNotes});
}

TEST_F(LogPipelineTest, NotesAreUtf8) {
  output_->Note(LogLevel::kWarn, "caf\xe9");
  absl::Notification behind;
  queue_->Post([&] { behind.Notify(); });
  behind.WaitForNotification();
  EXPECT_EQ(sink_->messages(), std::vector<std::string>{"caf\xEF\xBF\xBD"});
}

}  // namespace
}  // namespace goplugin::internal
