// What Telemetry is told of a supervised plugin, with real processes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/supervisor.h"
#include "goplugin/telemetry.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/integration/telemetry_recorder.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using ::testing::EndsWith;

class SupervisorTelemetryTest : public HarnessTest {
 protected:
  SupervisorTelemetryTest() { options_.telemetry = recorder_; }

  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  ClientOptions options_ = ShortLadder();
};

TEST_F(SupervisorTelemetryTest, AKillAndWhatFollows) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(), options_);
  ASSERT_NE(supervisor, nullptr);
  const auto launch = recorder_->launches.Take();
  ASSERT_TRUE(launch.has_value());
  EXPECT_EQ(launch->plugin.replica, 0);
  EXPECT_EQ(launch->plugin.generation, 1u);
  const auto health = recorder_->healths.Take();
  ASSERT_TRUE(health.has_value());
  EXPECT_TRUE(health->serving);
  EXPECT_EQ(health->plugin.generation, 1u);
  EXPECT_EQ(health->plugin.pid, launch->plugin.pid);

  ASSERT_EQ(kill(PidOf(*supervisor), SIGKILL), 0);
  const auto failure = recorder_->failures.Take();
  ASSERT_TRUE(failure.has_value());
  EXPECT_THAT(failure->plugin.name, EndsWith("server_plugin"));
  EXPECT_EQ(failure->plugin.pid, launch->plugin.pid);
  EXPECT_EQ(failure->plugin.generation, 1u);
  EXPECT_EQ(failure->restart_in, absl::ZeroDuration());
  ExpectError(failure->error, {Reason::kCrashed, "ended unasked", ""});
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kCrash);
  EXPECT_EQ(exit->plugin.generation, 1u);

  const auto restart = recorder_->restarts.Take();
  ASSERT_TRUE(restart.has_value());
  EXPECT_EQ(restart->plugin.generation, 2u);
  EXPECT_EQ(restart->restarts, 1);
  EXPECT_EQ(restart->reason, failure->error);
  const auto again = recorder_->launches.Take();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->plugin.generation, 2u);
  const auto healthy = recorder_->healths.Take();
  ASSERT_TRUE(healthy.has_value());
  EXPECT_EQ(healthy->plugin.generation, 2u);

  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  const auto end = recorder_->exits.Take();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->cause, ExitEvent::Cause::kShutdown);
  for (const SupervisorState state :
       {SupervisorState::kStarting, SupervisorState::kReady,
        SupervisorState::kRestarting, SupervisorState::kReady,
        SupervisorState::kStopped}) {
    const auto told = recorder_->states.Take();
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->state, state);
  }
  EXPECT_TRUE(recorder_->breakers.empty());
}

// The supervisor lets go of its client at once, which is no Shutdown that could
// excuse the stop.
TEST_F(SupervisorTelemetryTest, AStopThatItTookForAFailureIsACrash) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(), options_);
  ASSERT_NE(supervisor, nullptr);
  ASSERT_EQ(kill(PidOf(*supervisor), SIGTERM), 0);
  ASSERT_TRUE(recorder_->failures.Take().has_value());
  const auto exit = recorder_->exits.Take();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->cause, ExitEvent::Cause::kCrash);
  ExpectError(exit->error, {Reason::kCrashed, "ended unasked", ""});
}

TEST_F(SupervisorTelemetryTest, TheBreaker) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 0;
  policy.restart.cool_down = absl::Milliseconds(50);
  policy.restart.period = absl::Milliseconds(10);
  const auto supervisor = MustStart(ServerPlugin({}), policy, options_);
  ASSERT_NE(supervisor, nullptr);
  ASSERT_EQ(kill(PidOf(*supervisor), SIGKILL), 0);
  const auto open = recorder_->breakers.Take();
  ASSERT_TRUE(open.has_value());
  EXPECT_EQ(open->state, BreakerEvent::State::kOpen);
  EXPECT_EQ(open->probe_in, absl::Milliseconds(50));
  ExpectError(open->error, {Reason::kCrashed, "ended unasked", ""});
  const auto probing = recorder_->breakers.Take();
  ASSERT_TRUE(probing.has_value());
  EXPECT_EQ(probing->state, BreakerEvent::State::kProbing);
  EXPECT_EQ(probing->plugin.generation, 2u);
  const auto closed = recorder_->breakers.Take();
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->state, BreakerEvent::State::kClosed);
}

}  // namespace
}  // namespace goplugin::testing
