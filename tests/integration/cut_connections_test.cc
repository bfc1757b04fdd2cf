// Connections that are cut while the plugin lives: calls go on, since gRPC
// connects again, and so must the output; the broker can't, and says so.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "tests/integration/cutting_proxy.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

constexpr char kCut[] = "output stream was cut and is opened again";
constexpr char kBroken[] = "broker is broken";

class CutConnectionsTest : public HarnessTest {
 protected:
  CutConnectionsTest() {
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
  }

  void TearDown() override {
    client_.reset();
    proxy_.reset();
    HarnessTest::TearDown();
  }

  void Start(std::vector<std::string> flags) {
    flags.push_back("--broker");
    client_ = MustLaunch(ServerPlugin(std::move(flags)), options_);
    ASSERT_NE(client_, nullptr);
  }

  // With the proxy in between.
  void StartBehind(absl::Duration time = absl::InfiniteDuration()) {
    const std::string path = absl::StrCat(temp(), "/proxy");
    proxy_ = std::make_unique<CuttingProxy>(
        path, absl::StrCat(temp(), "/behind"), time);
    Start({"--ignore-socket-dir", "--socket-name=behind",
           absl::StrCat("--line={core}|{app}|unix|", path, "|grpc|{cert}\\n")});
  }

  int CountEntries(const std::string& part) const {
    int count = 0;
    for (const LogEntry& entry : log_->entries()) {
      count += absl::StrContains(entry.message, part) ? 1 : 0;
    }
    return count;
  }

  void ExpectOutputAgainAndNoBroker() {
    EXPECT_TRUE(log_->WaitForMessage(kCut));
    EXPECT_TRUE(log_->WaitForMessage(kBroken));
    EXPECT_TRUE(Eventually([this] { return Answers(*client_); }));
    Get(*client_, "!stdout:printed again");
    EXPECT_TRUE(stdio_->WaitForPiped("printed again\n"));
    ExpectError(client_->broker().Dial(1).status(),
                {Reason::kConnect, kBroken, "restart the plugin"});
    EXPECT_EQ(CountEntries(kBroken), 1);
  }

  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  ClientOptions options_ = PlainOptions();
  std::unique_ptr<CuttingProxy> proxy_;
  std::unique_ptr<Client> client_;
};

TEST_F(CutConnectionsTest, ByAProxy) {
  ASSERT_NO_FATAL_FAILURE(StartBehind());
  Get(*client_, "!stdout:printed");
  ASSERT_TRUE(stdio_->WaitForPiped("printed\n"));
  // Not one that is refused.
  absl::SleepFor(absl::Milliseconds(300));
  proxy_->Cut();
  ExpectOutputAgainAndNoBroker();
  const absl::Status bye = client_->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_EQ(CountEntries(kCut), 1);
}

TEST_F(CutConnectionsTest, ByMaxConnectionAge) {
  ASSERT_NO_FATAL_FAILURE(Start({"--max-connection-age=1s"}));
  ExpectOutputAgainAndNoBroker();
}

// At most one opening a second, and ever fewer, whatever the proxy does.
TEST_F(CutConnectionsTest, AgainAndAgainIsNoSpinning) {
  ASSERT_NO_FATAL_FAILURE(StartBehind(absl::Milliseconds(300)));
  absl::SleepFor(absl::Milliseconds(4500));
  EXPECT_LE(proxy_->connections(), 4);
  EXPECT_GE(proxy_->connections(), 2);
  // The first, the second, the fourth.
  EXPECT_LE(CountEntries(kCut), 3);
  EXPECT_EQ(CountEntries(kBroken), 1);
}

// The plugin's end cuts its connection, too.
TEST_F(CutConnectionsTest, AnEndIsNoCut) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  // The streams are there.
  Get(*client_, "!stdout:printed");
  ASSERT_TRUE(stdio_->WaitForPiped("printed\n"));
  Get(*client_, "!signal:9");
  EXPECT_TRUE(client_->WaitForExit(kPatience).ok());
  client_.reset();
  EXPECT_EQ(CountEntries(kCut), 0);
  EXPECT_EQ(CountEntries(kBroken), 0);
}

}  // namespace
}  // namespace goplugin::testing
