// Plugins whose health service says something else than SERVING, or nothing.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class HealthTest : public HarnessTest {
 protected:
  // A plugin with this health is ready all the same; Ping tells.
  void ExpectReadyButPingSays(const std::string& flag,
                              const std::string& evidence,
                              const std::string& hint) {
    std::unique_ptr<Client> client =
        MustLaunch(ServerPlugin({flag}), PlainOptions());
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    ExpectError(client->Ping(), {Reason::kConnect, evidence, hint});
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  }
};

// Its streams are not in the way, and closing them would take them from it for
// good.
TEST_F(HealthTest, OneThatAnswersSlowlyKeepsItsStreams) {
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  std::unique_ptr<Client> client = MustLaunch(
      ServerPlugin({"--health=slow", "--warming=2500ms", "--broker"}), options);
  ASSERT_NE(client, nullptr);
  // A check, and what was tried after each 2 s without an answer.
  EXPECT_EQ(client->Ping(absl::Seconds(20)), absl::OkStatus());
  absl::SleepFor(absl::Seconds(5));
  for (const LogEntry& entry : log->entries()) {
    EXPECT_LT(entry.level, LogLevel::kWarn) << entry.message;
  }
}

TEST_F(HealthTest, Unimplemented) {
  ExpectReadyButPingSays("--health=unimplemented", "UNIMPLEMENTED",
                         "no health service");
}

TEST_F(HealthTest, NoService) {
  ExpectReadyButPingSays("--health=not_found", "NOT_FOUND",
                         "no health service");
}

TEST_F(HealthTest, NotServing) {
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--health=not_serving"}), options);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(log->WaitFor([](const LogEntry& entry) {
    return entry.source == LogEntry::Source::kSdk &&
           entry.level == LogLevel::kWarn &&
           entry.message.find("NOT_SERVING") != std::string::npos;
  }));
  EXPECT_TRUE(Answers(*client));
  ExpectError(client->Ping(), {Reason::kConnect, "NOT_SERVING", "ask again"});
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(HealthTest, ServesLater) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--health=late"}), PlainOptions());
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Eventually([&] { return client->Ping().ok(); }));
}

TEST_F(HealthTest, PingOfAStoppedPlugin) {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::Milliseconds(100);
  options.shutdown.exit_timeout = absl::Milliseconds(100);
  options.shutdown.terminate_timeout = absl::Milliseconds(100);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options);
  ASSERT_NE(client, nullptr);
  Stop(*client);
  const absl::Time start = absl::Now();
  ExpectError(client->Ping(absl::Milliseconds(300)),
              {Reason::kTimeout, "DEADLINE_EXCEEDED", "stopped"});
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_TRUE(client->Kill().ok());
}

TEST_F(HealthTest, PingAfterShutdown) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(client->Ping(), {Reason::kShutDown, "shut down", "no calls"});
}

TEST_F(HealthTest, PingAfterACrash) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  ExpectError(client->Ping(), {Reason::kCrashed, "SIGKILL", "killed it"});
}

}  // namespace
}  // namespace goplugin::testing
