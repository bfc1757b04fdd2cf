// This SDK as host of multiplexed plugins built with hashicorp/go-plugin: the
// connection, what they print, how they end, and what they leave.

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

constexpr char kMark[] = "Written from conformance kv";

class GoMultiplexTest : public PeersTest,
                        public ::testing::WithParamInterface<TlsMode> {
 protected:
  GoMultiplexTest() : PeersTest({"kv"}) {
    options_.tls.mode = GetParam();
    options_.multiplex = Multiplex::kRequire;
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
  }

  void TearDown() override {
    client_.reset();
    PeersTest::TearDown();
  }

  void Launch(std::vector<std::string> args = {}) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(Peer("kv", std::move(args)), options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    EXPECT_TRUE(client_->multiplexed());
    EXPECT_EQ(client_->uses_tls(), GetParam() != TlsMode::kInsecure);
  }

  // The plugin's own socket is in the directory that it was given, which is in
  // TMPDIR.
  std::string Socket() const {
    const std::string address = client_->endpoint().address;
    EXPECT_TRUE(absl::StartsWith(address, absl::StrCat(temp(), "/")));
    EXPECT_TRUE(std::filesystem::is_socket(address)) << address;
    return address;
  }

  static void RunShell(const char* script, pid_t pid) {
    const std::string command = absl::StrCat("sh -c '", script, "' ", pid);
    EXPECT_EQ(system(command.c_str()), 0);
  }

  void ExpectNothingInTemp() const {
    for (const auto& left :
         std::filesystem::recursive_directory_iterator(temp())) {
      ADD_FAILURE() << left.path() << " was left behind";
    }
  }

  ClientOptions options_ = KvOptions();
  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::unique_ptr<Client> client_;
};

TEST_P(GoMultiplexTest, CallsHealthAndShutdown) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  ExpectFullWalk(*client_, kMark);
  EXPECT_FALSE(client_->Ping().ok());
}

TEST_P(GoMultiplexTest, IfOffered) {
  options_.multiplex = Multiplex::kIfOffered;
  ASSERT_NO_FATAL_FAILURE(Launch());
  ExpectFullWalk(*client_, kMark);
}

TEST_P(GoMultiplexTest, PrintsArriveOverStdio) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  EXPECT_EQ(Get(*client_, "!stdout:printed"), "");
  EXPECT_EQ(Get(*client_, "!stderr:complained"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("printed\n"));
  EXPECT_TRUE(stdio_->WaitForPiped("complained\n"));
  EXPECT_EQ(stdio_->raw(), "");
  EXPECT_EQ(Get(*client_, "!log:warn:said"), "");
  EXPECT_TRUE(log_->WaitForMessage("said"));
}

// Several windows of a stream.
TEST_P(GoMultiplexTest, AFloodOfPrintsArrivesWhole) {
  constexpr size_t kFlood = size_t{8} << 20;
  ASSERT_NO_FATAL_FAILURE(Launch());
  EXPECT_EQ(Get(*client_, absl::StrCat("!flood-stdout:", kFlood)), "");
  EXPECT_EQ(Get(*client_, "!stdout:the end"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("the end\n"));
  EXPECT_EQ(stdio_->piped().size(), kFlood + 8);
}

TEST_P(GoMultiplexTest, BigMessagesBothWays) {
  constexpr size_t kSize = size_t{64} << 20;
  ASSERT_NO_FATAL_FAILURE(Launch());
  const std::string value(kSize, 'x');
  ASSERT_EQ(Put(*client_, "big", value), "");
  const std::string back = Get(*client_, "big");
  EXPECT_GT(back.size(), kSize);
  EXPECT_TRUE(absl::StartsWith(back, value));
}

TEST_P(GoMultiplexTest, NoSocketStaysAfterACleanExit) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  Socket();
  const absl::Status bye = client_->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_TRUE(client_->exit_status()->success());
  ExpectNothingInTemp();
}

// Its own socket stays when nobody is left to remove it: we do.
TEST_P(GoMultiplexTest, NoSocketStaysAfterSigkill) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  Socket();
  ASSERT_EQ(kill(client_->pid(), SIGKILL), 0);
  const auto status = client_->WaitForExit(kPatience);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(*status, (ExitStatus{ExitStatus::Kind::kSignalled, SIGKILL}));
  client_.reset();
  ExpectNothingInTemp();
}

TEST_P(GoMultiplexTest, NoSocketStaysAfterACrash) {
  ASSERT_NO_FATAL_FAILURE(Launch());
  Socket();
  const grpc::Status call = GetStatus(*client_, "!panic:the store is gone");
  ExpectError(client_->Explain(call),
              {Reason::kCrashed, "panic: the store is gone", "panic"});
  client_.reset();
  ExpectNothingInTemp();
}

TEST_P(GoMultiplexTest, NoSocketStaysAfterKill) {
  ASSERT_NO_FATAL_FAILURE(Launch({"-shutdown", "hang"}));
  Socket();
  EXPECT_TRUE(client_->Kill().ok());
  ExpectNothingInTemp();
}

TEST_P(GoMultiplexTest, NoSocketStaysAfterAForcedShutdown) {
  options_.shutdown.rpc_timeout = absl::Milliseconds(300);
  options_.shutdown.exit_timeout = absl::Milliseconds(300);
  ASSERT_NO_FATAL_FAILURE(Launch({"-shutdown", "hang"}));
  Socket();
  ExpectError(client_->Shutdown(), {Reason::kShutdownForced, "", ""});
  EXPECT_TRUE(client_->exited());
  ExpectNothingInTemp();
}

// go-plugin's server on a listener of its own does not multiplex.
TEST_P(GoMultiplexTest, APluginThatCantIsRefusedIfRequired) {
  for (const char* fields : {"6", "7"}) {
    const auto client = Client::Launch(
        Peer("kv", {"-network", "tcp", "-fields", fields}), options_);
    ExpectError(client.status(),
                {Reason::kMuxUnsupported, "multiplex", "kIfOffered"});
  }
}

TEST_P(GoMultiplexTest, APluginThatCantIsTakenAsItIs) {
  options_.multiplex = Multiplex::kIfOffered;
  auto client = Client::Launch(Peer("kv", {"-network", "tcp"}), options_);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_FALSE((*client)->multiplexed());
  ExpectFullWalk(**client, kMark);
}

// ---- Somebody stands still (GOPLUGIN_LONG_TESTS=1: it takes 45 s each)
// -------

class GoPauseTest : public GoMultiplexTest {
 protected:
  void SetUp() override {
    GoMultiplexTest::SetUp();
    const char* wanted = getenv("GOPLUGIN_LONG_TESTS");
    if (wanted == nullptr) GTEST_SKIP() << "GOPLUGIN_LONG_TESTS is not set";
  }
};

// Longer than any time of yamux's.
constexpr char kPause[] = "kill -STOP $0; sleep 42; kill -CONT $0";

TEST_P(GoPauseTest, ThePluginIsStopped) {
  ASSERT_NO_FATAL_FAILURE(Launch({"-lifetime", "10m"}));
  RunShell(kPause, client_->pid());
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  EXPECT_EQ(Get(*client_, "!stdout:printed"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("printed\n"));
  EXPECT_TRUE(client_->Ping().ok());
}

// Go's end takes no second connection. The plugin ends, too.
TEST_P(GoPauseTest, TheHostIsStopped) {
  ASSERT_NO_FATAL_FAILURE(Launch({"-lifetime", "10m"}));
  RunShell(kPause, getpid());
  const grpc::Status call = GetStatus(*client_, "key");
  EXPECT_FALSE(call.ok());
  const absl::Status why = client_->Explain(call);
  EXPECT_TRUE(absl::StrContains(why.message(), "ping was not answered")) << why;
  EXPECT_TRUE(absl::StrContains(GetErrorDetails(why)->hint, "stood still"))
      << why;
}

INSTANTIATE_TEST_SUITE_P(Tls, GoPauseTest,
                         ::testing::Values(TlsMode::kInsecure),
                         [](const auto&) { return "Plain"; });

INSTANTIATE_TEST_SUITE_P(Tls, GoMultiplexTest,
                         ::testing::Values(TlsMode::kInsecure,
                                           TlsMode::kAutoMtls),
                         [](const ::testing::TestParamInfo<TlsMode>& info) {
                           return info.param == TlsMode::kInsecure ? "Plain"
                                                                   : "AutoMtls";
                         });

}  // namespace
}  // namespace goplugin::testing
