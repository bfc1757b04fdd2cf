// This SDK as host of plugins built with hashicorp/go-plugin: what they print,
// how they crash, and how they end.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/log_sink.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class GoLifecycleTest : public PeersTest {
 protected:
  GoLifecycleTest() : PeersTest({"kv"}) {}

  void TearDown() override {
    client_.reset();
    PeersTest::TearDown();
  }

  void Launch(std::vector<std::string> args) {
    options_.log_sink = log_;
    options_.stdio_sink = stdio_;
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(Peer("kv", std::move(args)), options_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  // Calls `key`, which ends the plugin, and gives the explanation.
  absl::Status Crash(const std::string& key) {
    const grpc::Status call = GetStatus(*client_, key);
    EXPECT_FALSE(call.ok());
    return client_->Explain(call);
  }

  ClientOptions options_ = KvOptions();
  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  std::shared_ptr<RecordingStdioSink> stdio_ =
      std::make_shared<RecordingStdioSink>();
  std::unique_ptr<Client> client_;
};

TEST_F(GoLifecycleTest, PrintsArriveOverStdio) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!stdout:printed"), "");
  EXPECT_EQ(Get(*client_, "!stderr:complained"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("printed\n"));
  EXPECT_TRUE(stdio_->WaitForPiped("complained\n"));
  EXPECT_EQ(stdio_->raw(), "");
}

TEST_F(GoLifecycleTest, RawPrintsArriveToo) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!raw-stdout:by the descriptor"), "");
  EXPECT_TRUE(stdio_->WaitForRaw("by the descriptor\n"));
  EXPECT_EQ(stdio_->piped(), "");
  EXPECT_EQ(Get(*client_, "!raw-stderr:[WARN] careful"), "");
  EXPECT_TRUE(log_->WaitFor([](const LogEntry& entry) {
    return entry.message == "careful" && entry.level == LogLevel::kWarn;
  }));
}

TEST_F(GoLifecycleTest, AFloodOfPrintsArrivesWhole) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!flood-stdout:1048576"), "");
  EXPECT_EQ(Get(*client_, "!stdout:the end"), "");
  EXPECT_TRUE(stdio_->WaitForPiped("the end\n"));
  EXPECT_EQ(stdio_->piped().size(), 1048576u + 8);
}

TEST_F(GoLifecycleTest, HclogEntriesKeepLevelModuleFieldsAndTime) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  const std::vector<std::pair<std::string, LogLevel>> levels = {
      {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug},
      {"info", LogLevel::kInfo},   {"warn", LogLevel::kWarn},
      {"error", LogLevel::kError},
  };
  for (const auto& [name, level] : levels) {
    EXPECT_EQ(Get(*client_, "!log:" + name + ":said at " + name), "");
    const LogLevel wanted = level;
    const std::string message = "said at " + name;
    EXPECT_TRUE(log_->WaitFor([&](const LogEntry& entry) {
      const std::vector<std::pair<std::string, std::string>> fields = {
          {"key", "value"}};
      return entry.source == LogEntry::Source::kPlugin &&
             entry.message == message && entry.level == wanted &&
             entry.module == "kv" && entry.fields == fields &&
             entry.timestamp.has_value();
    })) << name;
  }
}

TEST_F(GoLifecycleTest, ManyEntriesStayInOrder) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!flood-log:1000"), "");
  EXPECT_EQ(Get(*client_, "!log:info:the end"), "");
  ASSERT_TRUE(log_->WaitForMessage("the end"));
  int next = 0;
  for (const LogEntry& entry : log_->entries()) {
    if (entry.message != "flood") continue;
    ASSERT_EQ(entry.fields.size(), 1u);
    EXPECT_EQ(entry.fields[0].second, std::to_string(next++));
  }
  EXPECT_EQ(next, 1000);
}

// The floods that tests/benchmarks measures.
TEST_F(GoLifecycleTest, FloodsOfLinesArriveWhole) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_EQ(Get(*client_, "!flood-hclog:3000"), "");
  EXPECT_EQ(Get(*client_, "!flood-text:3000"), "");
  EXPECT_EQ(Get(*client_, "!log:info:the end"), "");
  ASSERT_TRUE(log_->WaitForMessage("the end"));
  int hclog = 0;
  int text = 0;
  for (const LogEntry& entry : log_->entries()) {
    if (entry.message == "stored a value") {
      ++hclog;
      EXPECT_EQ(entry.level, LogLevel::kInfo);
      EXPECT_EQ(entry.fields.size(), 2u);
    } else if (entry.message == "listening for requests on the second socket") {
      ++text;
      EXPECT_EQ(entry.level, LogLevel::kDebug);
    }
  }
  EXPECT_EQ(hclog, 3000);
  EXPECT_EQ(text, 3000);
}

TEST_F(GoLifecycleTest, APanicIsExplained) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  const absl::Status why = Crash("!panic:the store is gone");
  ExpectError(why, {Reason::kCrashed, "panic: the store is gone", "panic"});
  const ErrorDetails details = GetErrorDetails(why).value_or(ErrorDetails());
  EXPECT_EQ(details.exit_status, (ExitStatus{ExitStatus::Kind::kExited, 2}));
  EXPECT_NE(details.panic.find("panic: the store is gone"), std::string::npos);
  EXPECT_NE(details.panic.find("goroutine "), std::string::npos);
  EXPECT_TRUE(client_->exited());
}

TEST_F(GoLifecycleTest, ThePanicsLinesAreErrors) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  ExpectError(Crash("!panic:seen in the log"),
              {Reason::kCrashed, "exit code 2", ""});
  EXPECT_TRUE(log_->WaitFor([](const LogEntry& entry) {
    return entry.message == "panic: seen in the log" &&
           entry.level == LogLevel::kError;
  }));
  EXPECT_TRUE(log_->WaitFor([](const LogEntry& entry) {
    return entry.message.find("goroutine ") == 0 &&
           entry.level == LogLevel::kError;
  }));
}

TEST_F(GoLifecycleTest, AnExitInACallIsExplained) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  const absl::Status why = Crash("!exit:3");
  ExpectError(why, {Reason::kCrashed, "exit code 3", "stderr"});
  EXPECT_EQ(GetErrorDetails(why)->exit_status,
            (ExitStatus{ExitStatus::Kind::kExited, 3}));
}

TEST_F(GoLifecycleTest, ASignalInACallIsExplained) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  ExpectError(Crash("!signal:9"), {Reason::kCrashed, "SIGKILL", "memory"});
}

TEST_F(GoLifecycleTest, AnErrorOfThePluginsOwnStaysOne) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  const absl::Status why = client_->Explain(GetStatus(*client_, "!error:5"));
  EXPECT_EQ(why.code(), absl::StatusCode::kInternal);
  EXPECT_NE(why.message().find("eeeee"), std::string::npos) << why;
  EXPECT_FALSE(client_->exited());
}

TEST_F(GoLifecycleTest, APanicBeforeTheLineIsQuoted) {
  const absl::Status status =
      Client::Launch(Peer("kv", {"-panic"}), options_).status();
  ExpectError(status, {Reason::kExitedEarly,
                       "panic: asked to panic before the line", ""});
  EXPECT_EQ(GetErrorDetails(status)->exit_status,
            (ExitStatus{ExitStatus::Kind::kExited, 2}));
}

class GoShutdownTest : public GoLifecycleTest,
                       public ::testing::WithParamInterface<const char*> {};

// Whatever the answer to Shutdown is: SIGTERM ends it, and the caller is told.
TEST_P(GoShutdownTest, EndsByTheLadder) {
  options_.shutdown.rpc_timeout = absl::Milliseconds(300);
  options_.shutdown.exit_timeout = absl::Milliseconds(300);
  ASSERT_NO_FATAL_FAILURE(Launch({"-shutdown", GetParam()}));
  EXPECT_EQ(Put(*client_, "key", "value"), "");
  ExpectError(client_->Shutdown(), {Reason::kShutdownForced, "SIGTERM", ""});
  EXPECT_EQ(client_->exit_status(),
            (ExitStatus{ExitStatus::Kind::kSignalled, SIGTERM}));
}

INSTANTIATE_TEST_SUITE_P(Answers, GoShutdownTest,
                         ::testing::Values("ignore", "hang", "error"),
                         [](const auto& info) { return info.param; });

// For a plugin without that method SIGTERM is the polite way.
TEST_F(GoLifecycleTest, WithoutAShutdownMethodSigtermIsFine) {
  ASSERT_NO_FATAL_FAILURE(Launch({"-shutdown", "unimplemented"}));
  const absl::Status bye = client_->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_EQ(client_->exit_status(),
            (ExitStatus{ExitStatus::Kind::kSignalled, SIGTERM}));
}

TEST_F(GoLifecycleTest, AStoppedPluginIsKilled) {
  options_.shutdown.rpc_timeout = absl::Milliseconds(300);
  options_.shutdown.exit_timeout = absl::ZeroDuration();
  options_.shutdown.terminate_timeout = absl::Milliseconds(300);
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  ASSERT_EQ(kill(client_->pid(), SIGSTOP), 0);
  // Until all of its threads stand still: one of them could answer yet.
  siginfo_t info = {};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(client_->pid()), &info,
                   WSTOPPED | WNOWAIT),
            0);
  ExpectError(client_->Shutdown(), {Reason::kShutdownForced, "SIGKILL", ""});
}

TEST_F(GoLifecycleTest, KillIsAtOnceAndSweepsItsSocket) {
  ASSERT_NO_FATAL_FAILURE(Launch({}));
  EXPECT_TRUE(client_->Kill().ok());
  EXPECT_TRUE(client_->exited());
}

}  // namespace
}  // namespace goplugin::testing
