// What Telemetry is told, and what becomes of it when it is stuck.

#include "goplugin/telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "goplugin/error.h"
#include "tests/integration/live.h"
#include "tests/integration/telemetry_recorder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class TelemetryTest : public HarnessTest {
 protected:
  TelemetryTest() { options_.telemetry = recorder_; }

  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  ClientOptions options_ = PlainOptions();
};

TEST_F(TelemetryTest, ALaunchAndAnOrderlyEnd) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  const auto launch = recorder_->launches.Take();
  ASSERT_TRUE(launch.has_value());
  EXPECT_TRUE(launch->status.ok());
  EXPECT_THAT(launch->plugin.name, EndsWith("server_plugin"));
  EXPECT_EQ(launch->plugin.pid, client->pid());
  EXPECT_EQ(launch->timings.line, client->timings().line);
  EXPECT_EQ(launch->timings.ready, client->timings().ready);
  EXPECT_GE(launch->took, launch->timings.ready);

  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kShutdown);
  EXPECT_TRUE(exit->status.success());
  EXPECT_TRUE(exit->error.ok()) << exit->error;
  EXPECT_EQ(exit->plugin.pid, launch->plugin.pid);
  EXPECT_GT(exit->lifetime, absl::ZeroDuration());
  EXPECT_TRUE(recorder_->launches.empty());
}

TEST_F(TelemetryTest, ALaunchThatFailsSaysHowFarItCame) {
  const auto client = Client::Launch(
      Misbehave({"say", "0|1|unix|/tmp/none|grpc|\\n"}), options_);
  ASSERT_FALSE(client.ok());
  const auto launch = recorder_->launches.Take();
  ASSERT_TRUE(launch.has_value());
  EXPECT_EQ(launch->status, client.status());
  EXPECT_THAT(launch->plugin.name, EndsWith("misbehave"));
  EXPECT_GT(launch->timings.spawn, absl::ZeroDuration());
  EXPECT_EQ(launch->timings.line, absl::ZeroDuration());
  EXPECT_EQ(launch->timings.ready, absl::ZeroDuration());
  EXPECT_GE(launch->took, launch->timings.spawn);
  EXPECT_TRUE(recorder_->exits.empty());
}

TEST_F(TelemetryTest, ACrashIsToldWithItsReport) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kCrash);
  EXPECT_EQ(exit->status.kind, ExitStatus::Kind::kSignalled);
  ExpectError(exit->error, {Reason::kCrashed, "ended unasked", ""});
}

// Whatever stops the host stops its plugins as well.
TEST_F(TelemetryTest, AStopJustBeforeShutdownIsNoCrash) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGTERM), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kShutdown);
  EXPECT_TRUE(exit->error.ok()) << exit->error;
  client.reset();
  EXPECT_TRUE(recorder_->exits.empty());
}

TEST_F(TelemetryTest, AStopThatNoShutdownFollowsIsACrash) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGTERM), 0);
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kCrash);
  ExpectError(exit->error, {Reason::kCrashed, "ended unasked", ""});
  EXPECT_LT(exit->lifetime, kPatience);
  client.reset();
  EXPECT_TRUE(recorder_->exits.empty());
}

TEST_F(TelemetryTest, OneThatIsLeftRunningIsReleased) {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  std::unique_ptr<Client> client = MustLaunch(command, options_);
  ASSERT_NE(client, nullptr);
  const auto config = client->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kReleased);

  const auto again = Client::Reattach(*config, options_);
  ASSERT_TRUE(again.ok()) << again.status();
  recorder_->launches.Take();
  const auto launch = recorder_->launches.Take();
  ASSERT_TRUE(launch.has_value());
  EXPECT_EQ(launch->plugin.pid, (*again)->pid());
  EXPECT_EQ((*again)->Shutdown(), absl::OkStatus());
}

TEST_F(TelemetryTest, DialsAreToldWithTheirIds) {
  std::unique_ptr<Client> client = LaunchBrokerPlugin({}, options_);
  ASSERT_NE(client, nullptr);
  const std::uint32_t id = PluginAccepts(*client, 1).ids(0);
  ASSERT_TRUE(client->broker().Dial(id).ok());
  auto dial = recorder_->dials.Take();
  ASSERT_TRUE(dial.has_value());
  EXPECT_EQ(dial->id, id);
  EXPECT_TRUE(dial->status.ok());
  EXPECT_EQ(dial->plugin.pid, client->pid());

  ASSERT_FALSE(client->broker().Dial(77, Within(absl::Milliseconds(200))).ok());
  dial = recorder_->dials.Take();
  ASSERT_TRUE(dial.has_value());
  EXPECT_EQ(dial->id, 77u);
  EXPECT_FALSE(dial->status.ok());
  EXPECT_GE(dial->took, absl::Milliseconds(200));
}

TEST_F(TelemetryTest, WhatTheProcessUsesIsToldWhileItLives) {
  options_.usage_interval = absl::Milliseconds(100);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  const auto first = recorder_->usages.Take();
  const auto second = recorder_->usages.Take();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_GT(first->memory_bytes, 1 << 20);
  EXPECT_GE(second->processor, first->processor);
  EXPECT_EQ(second->plugin.pid, client->pid());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(TelemetryTest, NoneIsWantedByDefaultAndTooOftenIsRefused) {
  EXPECT_EQ(options_.usage_interval, absl::InfiniteDuration());
  options_.usage_interval = absl::Milliseconds(99);
  ExpectError(Client::Launch(ServerPlugin({}), options_).status(),
              {Reason::kOptions, "usage_interval", ""});
}

// Holds up neither the plugin nor any other client, nor the end.
TEST_F(TelemetryTest, AStuckOneHoldsUpNobody) {
  absl::Notification released;
  recorder_->stuck = &released;
  options_.usage_interval = absl::Milliseconds(100);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  std::unique_ptr<Client> other = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_TRUE(Answers(*other));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(other->Shutdown(), absl::OkStatus());
  released.Notify();
  EXPECT_TRUE(recorder_->exits.Take().has_value());
}

class StuckSink : public LogSink {
 public:
  explicit StuckSink(absl::Notification& released) : released_(released) {}
  void Log(const LogEntry& /*entry*/) override {
    released_.WaitForNotification();
  }

 private:
  absl::Notification& released_;
};

TEST_F(TelemetryTest, EntriesThatASinkMissesAreTold) {
  absl::Notification released;
  options_.log_sink = std::make_shared<StuckSink>(released);
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--long-stderr-line=20MB"}), options_);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  released.Notify();
  const auto dropped = recorder_->dropped.Take();
  ASSERT_TRUE(dropped.has_value());
  EXPECT_GT(dropped->entries, 0u);
  EXPECT_EQ(dropped->events, 0u);
}

}  // namespace
}  // namespace goplugin::testing
