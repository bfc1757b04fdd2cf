// What plugins write, and how much of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class OutputTest : public HarnessTest {
 protected:
  OutputTest() {
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
    options_.stderr_sink = stderr_;
  }

  std::unique_ptr<Client> Start(std::vector<std::string> flags) {
    return MustLaunch(ServerPlugin(std::move(flags)), options_);
  }

  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::shared_ptr<RecordingStdioSink> stderr_ =
      std::make_shared<RecordingStdioSink>();
  ClientOptions options_ = PlainOptions();
};

TEST_F(OutputTest, StderrBecomesLogEntries) {
  std::unique_ptr<Client> client = Start({"--stderr=[WARN] low on fuel"});
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(log_->WaitForMessage("low on fuel"));
  const LogEntry warning = log_->entries().front();
  EXPECT_EQ(warning.source, LogEntry::Source::kPlugin);
  EXPECT_EQ(warning.level, LogLevel::kWarn);
  EXPECT_EQ(warning.message, "low on fuel");
  EXPECT_FALSE(warning.continues);
  EXPECT_TRUE(stderr_->WaitForRaw("[WARN] low on fuel\n"));
}

TEST_F(OutputTest, LevelsAndFieldsArrive) {
  std::unique_ptr<Client> client = Start({});
  ASSERT_NE(client, nullptr);
  const std::vector<std::pair<std::string, LogLevel>> levels = {
      {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug},
      {"info", LogLevel::kInfo},   {"warn", LogLevel::kWarn},
      {"error", LogLevel::kError},
  };
  for (const auto& [name, level] : levels) {
    Get(*client, absl::StrCat("!log:", name, ":at ", name));
    EXPECT_TRUE(log_->WaitFor([&, &name = name,
                               &level = level](const LogEntry& entry) {
      return entry.level == level && entry.message == absl::StrCat("at ", name);
    })) << name;
  }
  const LogEntry entry = log_->entries().front();
  EXPECT_EQ(entry.module, "kv");
  ASSERT_EQ(entry.fields.size(), 1u);
  EXPECT_EQ(entry.fields[0],
            std::make_pair(std::string("key"), std::string("value")));
  ASSERT_TRUE(entry.timestamp.has_value());
  EXPECT_EQ(absl::FormatTime("%Y-%m-%d", *entry.timestamp, absl::UTCTimeZone()),
            "2024-05-06");
}

TEST_F(OutputTest, EveryLineOfABurstArrivesInOrder) {
  constexpr std::size_t kLines = 2000;
  std::unique_ptr<Client> client =
      Start({absl::StrCat("--flood-stderr=", kLines)});
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(log_->WaitForMessage(absl::StrCat("flood ", kLines - 1, " ")));
  const std::vector<LogEntry> entries = log_->entries();
  ASSERT_EQ(entries.size(), kLines);
  for (std::size_t i = 0; i < kLines; ++i) {
    EXPECT_TRUE(
        absl::StartsWith(entries[i].message, absl::StrCat("flood ", i, " ")))
        << entries[i].message;
  }
}

TEST_F(OutputTest, CallsWorkWhileStderrIsFlooded) {
  options_.stderr_sink = nullptr;
  std::unique_ptr<Client> client = Start({"--flood-stderr"});
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(log_->WaitForMessage("flood 500 "));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Answers(*client));
  EXPECT_TRUE(client->Ping().ok());
  const absl::Status bye = client->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
}

TEST_F(OutputTest, CallsWorkWhileStdoutIsFlooded) {
  std::unique_ptr<Client> client = Start({"--flood-stdout"});
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(stdio_->WaitForRaw("flood 500 "));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// Without anybody to read them the pipes are emptied all the same.
TEST_F(OutputTest, FloodsWithoutSinks) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--flood-stdout", "--flood-stderr"}));
  ASSERT_NE(client, nullptr);
  // More than both pipes hold: the plugin's writers would stand still.
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(OutputTest, LineOf10MbComesInPieces) {
  constexpr std::size_t kSize = std::size_t{10} << 20;
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  options_.stderr_sink = nullptr;
  std::unique_ptr<Client> client = Start({"--long-stderr-line=10MB"});
  ASSERT_NE(client, nullptr);
  // Behind the long line, which is ended by then.
  Get(*client, "!raw-stderr:the end");
  ASSERT_TRUE(log_->WaitForMessage("the end"));
  std::size_t size = 0;
  std::size_t unfinished = 0;
  bool lost = false;
  for (const LogEntry& entry : log_->entries()) {
    EXPECT_LE(entry.message.size(), kPiece);
    if (entry.source == LogEntry::Source::kSdk) {
      lost = true;
    } else if (entry.message == "the end") {
      EXPECT_FALSE(entry.continues);
    } else {
      size += entry.message.size();
      unfinished += entry.continues ? 1 : 0;
    }
  }
  EXPECT_GT(unfinished, 0u);
  EXPECT_LE(size, kSize);
  // A sink that is slower than the pipe loses some, and hears of it.
  if (lost) return;
  EXPECT_EQ(size, kSize);
  EXPECT_GE(unfinished, kSize / kPiece - 1);
}

TEST_F(OutputTest, ClosesStderr) {
  std::unique_ptr<Client> client = Start({"--close-stderr"});
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(OutputTest, ClosesStdoutAfterTheLine) {
  std::unique_ptr<Client> client = Start({"--close-stdout"});
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(OutputTest, StdoutAfterTheLineIsRaw) {
  std::unique_ptr<Client> client =
      Start({"--after-line-stdout=behind\\nwithout newline"});
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(stdio_->WaitForRaw("behind\nwithout newline"));
  Get(*client, "!raw-stdout:printed");
  EXPECT_TRUE(stdio_->WaitForRaw("printed\n"));
  EXPECT_EQ(stdio_->piped(), "");
  EXPECT_FALSE(absl::StrContains(stdio_->raw(), "|grpc|"));
}

TEST_F(OutputTest, StdioOverGrpc) {
  std::unique_ptr<Client> client = Start({});
  ASSERT_NE(client, nullptr);
  Get(*client, "!stdout:to stdout");
  Get(*client, "!stderr:to stderr");
  EXPECT_TRUE(stdio_->WaitForPiped("to stdout\n"));
  EXPECT_TRUE(stdio_->WaitForPiped("to stderr\n"));
  EXPECT_EQ(stdio_->raw(), "");
}

// What is written last, right before the end, is not lost.
TEST_F(OutputTest, LastWordsArrive) {
  std::unique_ptr<Client> client = Start({});
  ASSERT_NE(client, nullptr);
  Get(*client, "!stdout:last over gRPC");
  Get(*client, "!raw-stdout:last raw");
  Get(*client, "!raw-stderr:last log");
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(stdio_->WaitForPiped("last over gRPC\n"));
  EXPECT_TRUE(stdio_->WaitForRaw("last raw\n"));
  EXPECT_TRUE(log_->WaitForMessage("last log"));
}

class StdioFaultTest : public OutputTest,
                       public ::testing::WithParamInterface<const char*> {};

// Plugins without GRPCStdio, or whose stream ends, are fine.
TEST_P(StdioFaultTest, IsNoFault) {
  std::unique_ptr<Client> client = Start({GetParam()});
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Kinds, StdioFaultTest,
                         ::testing::Values("--stdio=unimplemented",
                                           "--stdio=end", "--stdio=error"));

}  // namespace
}  // namespace goplugin::testing
