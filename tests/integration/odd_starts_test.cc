// Plugins that start oddly, and work all the same.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

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

class OddStartTest : public HarnessTest {
 protected:
  OddStartTest() {
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
  }

  // Launches, calls, and shuts down in order.
  void ExpectWorks(std::vector<std::string> flags) {
    std::unique_ptr<Client> client =
        MustLaunch(ServerPlugin(std::move(flags)), options_);
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    EXPECT_TRUE(client->Ping().ok());
    const absl::Status bye = client->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
  }

  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  ClientOptions options_ = PlainOptions();
};

TEST_F(OddStartTest, NoiseText) {
  ExpectWorks({"--noise=text"});
  EXPECT_TRUE(stdio_->WaitForRaw("ready | steady | go\n"));
}

TEST_F(OddStartTest, NoiseBinary) {
  ExpectWorks({"--noise=binary"});
  EXPECT_FALSE(stdio_->raw().empty());
}

TEST_F(OddStartTest, NoiseWithFivePipes) {
  ExpectWorks({"--noise=five-pipes"});
  EXPECT_TRUE(stdio_->WaitForRaw("a|b|c|d|e|f"));
}

// Kept out of the sink here: what is bounded is the search for the line.
TEST_F(OddStartTest, Noise10Mb) {
  options_.stdio_sink = nullptr;
  ExpectWorks({"--noise=10mb"});
}

TEST_F(OddStartTest, NoiseLongLine) {
  options_.stdio_sink = nullptr;
  ExpectWorks({"--noise=long-line"});
}

TEST_F(OddStartTest, NoiseBlankLine) { ExpectWorks({"--noise=blank"}); }

TEST_F(OddStartTest, NoiseLooksLikeALine) {
  ExpectWorks({"--noise=candidate"});
}

// As .NET, a coloured console and a wrapper's "echo -n" leave it.
TEST_F(OddStartTest, TextBeforeTheLine) {
  for (const char* before :
       {"\xef\xbb\xbf", "\x1b[1;32m", "\x1b]0;kv\a\xef\xbb\xbf ", "loading... ",
        "loading 10%\\rloading 100%\\r"}) {
    SCOPED_TRACE(before);
    ExpectWorks({absl::StrCat(
        "--line=", before,
        "{core}|{app}|{network}|{address}|grpc|{cert}\x1b[0m\\n")});
  }
  EXPECT_TRUE(stdio_->WaitForRaw("loading..."));
}

// By the host's clock; brokered connections included, which have no test here
// of their own: they use the same credentials.
TEST_F(OddStartTest, ACertificateOfAnotherTime) {
  options_.tls.mode = TlsMode::kAutoMtls;
  ExpectWorks({"--tls=expired"});
  ExpectWorks({"--tls=not-yet-valid"});
}

TEST_F(OddStartTest, AWeakKeyThatIsLetIn) {
  options_.tls.mode = TlsMode::kAutoMtls;
  options_.tls.min_rsa_bits = 1024;
  ExpectWorks({"--tls=weak-key"});
}

TEST_F(OddStartTest, BlankLineAfterTheLine) {
  ExpectWorks({"--line={core}|{app}|{network}|{address}|grpc|{cert}\\n\\n"});
}

TEST_F(OddStartTest, LineByteByByte) { ExpectWorks({"--slow-line=2ms"}); }

TEST_F(OddStartTest, LineAfter3Seconds) {
  options_.slow_start_notice = absl::Milliseconds(200);
  ExpectWorks({"--delay=3s"});
  ASSERT_TRUE(log_->WaitForMessage("has not printed its handshake line"));
  const LogEntry notice = log_->entries().front();
  EXPECT_EQ(notice.source, LogEntry::Source::kSdk);
  EXPECT_EQ(notice.level, LogLevel::kWarn);
  EXPECT_TRUE(absl::StrContains(notice.message, "server_plugin"));
  EXPECT_TRUE(absl::StrContains(notice.message, "pid "));
  EXPECT_TRUE(absl::StrContains(notice.message, "waiting up to 30s"));
}

TEST_F(OddStartTest, ListensAfterTheLine) {
  ExpectWorks({"--delay-server=300ms"});
}

TEST_F(OddStartTest, ListensAfterTheLineOverTcp) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--network=tcp", "--noise=blank"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
}

TEST_F(OddStartTest, FieldsMoreOrLess) {
  ExpectWorks({"--line={core}|{app}|{network}|{address}|grpc\\n"});
  ExpectWorks({"--line={core}|{app}|{network}|{address}|grpc|\\n"});
  ExpectWorks({"--line={core}|{app}|{network}|{address}|grpc||false\\n"});
}

TEST_F(OddStartTest, ApplicationVersionZero) {
  options_.handshake.protocol_versions = {0};
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--versions=0"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->protocol_version(), 0u);
}

TEST_F(OddStartTest, HighestCommonVersion) {
  options_.handshake.protocol_versions = {1, 5, 3};
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--versions=1,2,3"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->protocol_version(), 3u);
  EXPECT_EQ(Get(*client, "!version"), "3");
}

TEST_F(OddStartTest, PhasesAndTimingsAreInOrder) {
  Mailbox<bool> ready;
  std::vector<std::pair<LaunchPhase, absl::Duration>> phases;
  options_.on_phase = [&](LaunchPhase phase, absl::Duration time) {
    phases.emplace_back(phase, time);
    if (phase == LaunchPhase::kReady) ready.Put(true);
  };
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(ready.Take().has_value());
  const LaunchTimings& timings = client->timings();
  ASSERT_EQ(phases.size(), 4u);
  EXPECT_EQ(phases[0], std::make_pair(LaunchPhase::kStarted, timings.spawn));
  EXPECT_EQ(phases[1], std::make_pair(LaunchPhase::kLine, timings.line));
  EXPECT_EQ(phases[2],
            std::make_pair(LaunchPhase::kConnected, timings.connect));
  EXPECT_EQ(phases[3], std::make_pair(LaunchPhase::kReady, timings.ready));
  EXPECT_LT(absl::ZeroDuration(), timings.spawn);
  EXPECT_LE(timings.spawn, timings.line);
  EXPECT_LE(timings.line, timings.connect);
  EXPECT_LE(timings.connect, timings.ready);
}

}  // namespace
}  // namespace goplugin::testing
