// What gets stuck in the host's own code, under a supervisor: it ends in time
// all the same, and holds up nobody else.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "goplugin/telemetry.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/stuck_runner.h"
#include "tests/support/stuck/stuck_sinks.h"

namespace goplugin::testing {
namespace {

class SupervisorStuckTest : public HarnessTest {
 protected:
  void TearDown() override {
    gate_->Open();
    HarnessTest::TearDown();
  }

  static absl::Duration LongestEnd() {
    return ShortLadder().shutdown.Total() + kGrace;
  }
  template <typename Action>
  static void ExpectWithin(absl::Duration limit, Action action) {
    const absl::Time begun = absl::Now();
    action();
    EXPECT_LT(absl::Now() - begun, limit);
  }

  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(SupervisorStuckTest, ALogSinkHoldsUpNoRestartAndNoEnd) {
  ClientOptions options = ShortLadder();
  options.log_sink = std::make_shared<StuckLogSink>(gate_);
  auto supervisor =
      MustStart(ServerPlugin({"--stderr=hello"}), QuickPolicy(), options);
  ASSERT_NE(supervisor, nullptr);
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  const pid_t pid = PidOf(*supervisor);
  kill(pid, SIGKILL);
  EXPECT_TRUE(ComesBack(*supervisor, pid));
  Mailbox<absl::Status> replaced;
  supervisor->ReplaceAsync(
      ServerPlugin({"--stderr=hello"}),
      [&](absl::Status status) { replaced.Put(std::move(status)); });
  EXPECT_EQ(replaced.Take(), absl::OkStatus());
  Mailbox<absl::Status> over;
  supervisor->ShutdownAsync(
      [&](absl::Status status) { over.Put(std::move(status)); });
  EXPECT_EQ(over.Take(), absl::OkStatus());
  gate_->Open();
}

TEST_F(SupervisorStuckTest, ARunnerFactoryEndsByTheDeadlineOfTheStart) {
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(500);
  const SupervisorSource source(
      [gate = gate_]() -> absl::StatusOr<std::shared_ptr<Runner>> {
        gate->Pass();
        return absl::UnavailableError("too late");
      });
  Mailbox<absl::Status> told;
  Supervisor::StartAsync(
      source, options, QuickPolicy(),
      [&](absl::StatusOr<std::unique_ptr<Supervisor>> supervisor) {
        told.Put(supervisor.status());
      });
  const absl::optional<absl::Status> status = told.Take();
  gate_->Open();
  ASSERT_TRUE(status.has_value());
  ExpectError(*status, {Reason::kHandshakeTimeout, "factory", ""});
}

TEST_F(SupervisorStuckTest, ARunnerFactoryHoldsUpNoEnd) {
  auto first = std::make_shared<std::atomic<bool>>(true);
  const SupervisorSource source(
      [gate = gate_, first]() -> absl::StatusOr<std::shared_ptr<Runner>> {
        if (!first->exchange(false)) gate->Pass();
        return std::make_shared<StuckRunner>(ServerPlugin({}),
                                             StuckRunner::Gates());
      });
  auto supervisor = MustStart(source);
  ASSERT_NE(supervisor, nullptr);
  supervisor->client()->Kill().IgnoreError();
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  Mailbox<absl::Status> over;
  supervisor->ShutdownAsync(
      [&](absl::Status status) { over.Put(std::move(status)); });
  EXPECT_EQ(over.Take(), absl::OkStatus());
  gate_->Open();
}

// The daemon that it starts plugins with is restarted itself.
TEST_F(SupervisorStuckTest, ARunnerThatFailsForAWhileIsTriedAgain) {
  auto starts = std::make_shared<std::atomic<int>>(0);
  for (const bool in_factory : {true, false}) {
    *starts = 0;
    const SupervisorSource source(
        [=]() -> absl::StatusOr<std::shared_ptr<Runner>> {
          const int start = ++*starts;
          const bool fails = start == 2 || start == 3;
          if (fails && in_factory) return absl::UnavailableError("no daemon");
          Command command = ServerPlugin({});
          if (fails) command.path = "/no/daemon/here";
          return std::make_shared<StuckRunner>(command, StuckRunner::Gates());
        });
    const auto supervisor = MustStart(source);
    ASSERT_NE(supervisor, nullptr);
    std::string first = Ask(*supervisor, "!pid");
    kill(std::stoi(first), SIGKILL);
    EXPECT_TRUE(Eventually([&] {
      const std::string now = Ask(*supervisor, "!pid");
      return !now.empty() && now != first && now[0] != 'e';
    })) << SupervisorStateName(supervisor->Status().state)
        << supervisor->Status().last_failure;
    EXPECT_EQ(*starts, 4);
  }
}

// Each has a thread of the SDK's, of which there are 256.
TEST_F(SupervisorStuckTest, PreparationsHoldUpNobodyElse) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.restart.initial = policy.restart.max = absl::ZeroDuration();
  policy.restart.intensity = 1'000'000;
  policy.prepare_timeout = absl::Milliseconds(1);
  auto prepared = std::make_shared<std::atomic<int>>(0);
  policy.prepare = [gate = gate_, prepared](
                       Client&, std::chrono::system_clock::time_point) {
    ++*prepared;
    gate->Pass();
    return absl::OkStatus();
  };
  auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->channel()->GetState(true), GRPC_CHANNEL_IDLE);
  EXPECT_TRUE(Eventually([&] {
    return *prepared >= 100 || supervisor->Status().replicas[0].restarts >= 100;
  }));
  EXPECT_LT(*prepared, 50);
  gate_->Open();
}

TEST_F(SupervisorStuckTest, AnEmptyInterceptorFactoryIsPassedOver) {
  ClientOptions options = ShortLadder();
  options.interceptors = [] {
    InterceptorFactories factories;
    factories.push_back(nullptr);
    return factories;
  };
  auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(), options);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(Ask(*supervisor, "!pid"), std::to_string(PidOf(*supervisor)));
}

// Each start fails, and leaves a thread in what the host hung in.
class StuckStartsTest : public SupervisorStuckTest,
                        public ::testing::WithParamInterface<std::string> {
 protected:
  ClientOptions Options() {
    ClientOptions options = ShortLadder();
    const std::string what = GetParam();
    if (what == "Interceptors") {
      options.start_timeout = absl::Milliseconds(200);
      options.shutdown.rpc_timeout = options.shutdown.exit_timeout =
          absl::Milliseconds(1);
      options.interceptors = StuckInterceptors(gate_);
    } else if (what == "Telemetry") {
      options.telemetry = std::make_shared<StuckTelemetry>(gate_);
    } else if (what == "LogSink") {
      options.log_sink = std::make_shared<StuckLogSink>(gate_);
    } else if (what == "StderrSink") {
      options.stderr_sink = std::make_shared<StuckStdioSink>(gate_);
    } else if (what == "Phases") {
      options.on_phase = [gate = gate_](LaunchPhase, absl::Duration) {
        gate->Pass();
      };
    }
    return options;
  }
  Command Plugin() const {
    if (GetParam() == "Interceptors") return ServerPlugin({});
    Command command;
    command.path = "/bin/sh";
    command.args = {"-c", "echo no >&2; exit 1"};
    return command;
  }
};

TEST_P(StuckStartsTest, TakeNotAllThreads) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.restart.initial = policy.restart.max = absl::ZeroDuration();
  policy.restart.intensity = 1'000'000;
  auto supervisor = MustStart(Plugin(), policy, Options());
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->channel()->GetState(true), GRPC_CHANNEL_IDLE);
  const auto is_told = [&] {
    const absl::Status why = supervisor->Status().last_failure;
    return why.message().find("host's own code") != std::string::npos;
  };
  // Each of some twenty starts takes its deadline, and its end.
  EXPECT_TRUE(Eventually(is_told) || Eventually(is_told))
      << supervisor->Status().last_failure;
  EXPECT_FALSE(gate_->AwaitArrivals(50, absl::ZeroDuration()));
  gate_->Open();
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, StuckStartsTest,
                         ::testing::Values("Interceptors", "LogSink", "Phases",
                                           "StderrSink", "Telemetry"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace goplugin::testing
