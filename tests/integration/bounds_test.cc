// What a plugin feeds to its host has a bound: messages without end, messages
// without measure, and small ones that unpack to large ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

constexpr int kMiB = 1024 * 1024;

// A number of kilobytes in /proc/self/status.
int KilobytesOf(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  int kilobytes = 0;
  while (status >> word) {
    if (word == name + ":" && status >> kilobytes) return kilobytes;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

// By how much this process has grown at most since the construction.
class Growth {
 public:
  Growth() {
    // Forgets the highest mark so far.
    std::ofstream("/proc/self/clear_refs") << "5";
    before_ = KilobytesOf("VmRSS");
  }
  int mebibytes() const { return (KilobytesOf("VmHWM") - before_) / 1024; }

 private:
  int before_ = 0;
};

// Counts what it gets, and looks at the pieces. Thread-safe.
class CountingStdioSink : public StdioSink {
 public:
  void Write(const StdioChunk& chunk) override {
    internal::MutexLock lock(mutex_);
    if (chunk.raw) return;
    bytes_ += chunk.data.size();
    largest_ = std::max(largest_, chunk.data.size());
    last_ = chunk.data.empty() ? last_ : chunk.data.back();
  }
  bool WaitForBytes(size_t bytes) {
    const auto there = [&] {
      mutex_.AssertReaderHeld();
      return bytes_ >= bytes;
    };
    internal::MutexLock lock(mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience);
    EXPECT_EQ(bytes_, bytes);
    return bytes_ == bytes;
  }
  size_t largest() {
    internal::MutexLock lock(mutex_);
    return largest_;
  }
  char last() {
    internal::MutexLock lock(mutex_);
    return last_;
  }

 private:
  absl::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t largest_ ABSL_GUARDED_BY(mutex_) = 0;
  char last_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Does not return until it is released.
class StuckSink : public LogSink, public StdioSink {
 public:
  void Log(const LogEntry& /*entry*/) override { Wait(); }
  void Write(const StdioChunk& /*chunk*/) override { Wait(); }
  void Release() { released_.Notify(); }

 private:
  void Wait() { released_.WaitForNotification(); }
  absl::Notification released_;
};

DialOptions Within(absl::Duration timeout) {
  DialOptions options;
  options.timeout = timeout;
  return options;
}

class BoundsTest : public HarnessTest {
 protected:
  BoundsTest() {
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
    // For plugins that do not stop writing.
    options_.shutdown = ShortLadder().shutdown;
    // For a busy machine.
    options_.shutdown.exit_timeout = absl::Seconds(3);
  }

  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<CountingStdioSink> stdio_ =
      std::make_shared<CountingStdioSink>();
  ClientOptions options_ = PlainOptions();
};

// ---- Output -----------------------------------------------------------------

TEST_F(BoundsTest, AStdioMessageOfAnySizeArrivesInPieces) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  size_t all = 0;
  for (const int size : {9 * kMiB, 64 * 1024 - 100, 64 * kMiB - 16}) {
    EXPECT_EQ(Get(*client, absl::StrCat("!stdio:", size)), "");
    all += static_cast<size_t>(size);
    ASSERT_TRUE(stdio_->WaitForBytes(all));
    EXPECT_EQ(stdio_->last(), '>');
  }
  EXPECT_LE(stdio_->largest(), size_t{256} * 1024);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BoundsTest, AStdioMessageThatIsTooLongIsToldAndTheStreamGoesOn) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, absl::StrCat("!stdio:", 65 * kMiB)), "");
  EXPECT_EQ(Get(*client, "!stdio:1000"), "");
  EXPECT_TRUE(stdio_->WaitForBytes(1000));
  EXPECT_TRUE(log_->WaitForMessage("68157447 bytes"));
  EXPECT_TRUE(log_->WaitForMessage("67108864"));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BoundsTest, AStuckSinkMissesSomeOfALongMessageAndIsTold) {
  auto stuck = std::make_shared<StuckSink>();
  options_.stdio_sink = stuck;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  const Growth growth;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(Get(*client, absl::StrCat("!stdio:", 20 * kMiB)), "");
  }
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  // Three messages of it at once at the most, and what waits for the sink.
  EXPECT_LT(growth.mebibytes(), 100);
  stuck->Release();
  EXPECT_TRUE(log_->WaitForMessage("were dropped"));
}

TEST_F(BoundsTest, ACompressedStdioStreamDoesNotGrowTheHost) {
  const Growth growth;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--stdio=bomb", "--large=200MB"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(log_->WaitForMessage("compress"));
  EXPECT_TRUE(Answers(*client));
  EXPECT_LT(growth.mebibytes(), 64);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// ---- Health -----------------------------------------------------------------

TEST_F(BoundsTest, ALongHealthAnswerIsNoAnswer) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--health=large", "--large=5MB"}), options_);
  ASSERT_NE(client, nullptr);
  ExpectError(client->Ping(), {Reason::kConnect, "4194304", "see exit_status"});
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BoundsTest, ACompressedHealthAnswerDoesNotGrowTheHost) {
  const Growth growth;
  // The plugin is at its 200 MB for a while: the SDK asks once by itself.
  options_.shutdown.exit_timeout = kPatience;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--health=bomb", "--large=200MB"}), options_);
  ASSERT_NE(client, nullptr);
  ExpectError(client->Ping(kPatience),
              {Reason::kConnect, "compress", "see exit_status"});
  EXPECT_TRUE(Answers(*client));
  EXPECT_LT(growth.mebibytes(), 64);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// ---- The broker -------------------------------------------------------------

TEST_F(BoundsTest, ALongBrokerMessageEndsTheStream) {
  std::unique_ptr<Client> client = MustLaunch(
      ServerPlugin({"--broker-large=plain", "--large=5MB"}), options_);
  ASSERT_NE(client, nullptr);
  const auto channel = client->broker().Dial(1, DialOptions());
  ExpectError(channel.status(), {Reason::kConnect, "4194304", "restart"});
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BoundsTest, ACompressedBrokerMessageDoesNotGrowTheHost) {
  const Growth growth;
  std::unique_ptr<Client> client = MustLaunch(
      ServerPlugin({"--broker-large=bomb", "--large=200MB"}), options_);
  ASSERT_NE(client, nullptr);
  const auto channel = client->broker().Dial(1, DialOptions());
  ExpectError(channel.status(), {Reason::kConnect, "compress", "restart"});
  EXPECT_LT(growth.mebibytes(), 64);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// Broker messages without end, from a plugin that reads none, for a host whose
// log sink is stuck.
class BrokerFloodTest : public BoundsTest,
                        public ::testing::WithParamInterface<std::string> {};

TEST_P(BrokerFloodTest, DoesNotGrowTheHost) {
  auto stuck = std::make_shared<StuckSink>();
  options_.log_sink = stuck;
  std::unique_ptr<Client> client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker-endless=", GetParam())}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  const Growth growth;
  // While somebody waits, messages are read as they come.
  const auto channel =
      client->broker().Dial(0xFFFFFFFF, Within(absl::Seconds(4)));
  EXPECT_FALSE(channel.ok());
  // Most of it are buffers of gRPC's own.
  EXPECT_LT(growth.mebibytes(), 32);
  EXPECT_TRUE(client->Kill().ok());
  stuck->Release();
}

INSTANTIATE_TEST_SUITE_P(Endless, BrokerFloodTest,
                         ::testing::Values("knocks", "acks", "refusals",
                                           "announcements"),
                         [](const auto& info) { return info.param; });

// ---- Readiness --------------------------------------------------------------

TEST_F(BoundsTest, APluginThatSaysItIsNotReadyIsWaitedFor) {
  options_.start_timeout = absl::Seconds(60);
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--health=warming", "--warming=6s"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Ping().ok());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BoundsTest, APluginThatIsNeverReadyIsWaitedForUntilTheStartTimeout) {
  options_.start_timeout = absl::Seconds(7);
  const absl::Time start = absl::Now();
  const absl::StatusOr<std::unique_ptr<Client>> client = Client::Launch(
      ServerPlugin({"--health=warming", "--warming=1h"}), options_);
  EXPECT_GE(absl::Now() - start, options_.start_timeout);
  EXPECT_LT(absl::Now() - start, options_.start_timeout + kGrace);
  ExpectError(client.status(), {Reason::kConnect, "UNAVAILABLE \"warming up\"",
                                "answers that it is not ready"});
}

}  // namespace
}  // namespace goplugin::testing
