// Supervised plugins that hang or are not well, and what makes a new process
// ready.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Deadline = std::chrono::system_clock::time_point;
using SupervisorHealthTest = HarnessTest;
using SupervisorPrepareTest = HarnessTest;

SupervisorOptions Watchful() {
  SupervisorOptions policy = QuickPolicy();
  policy.health.interval = absl::Milliseconds(200);
  policy.health.timeout = absl::Milliseconds(400);
  policy.health.failures = 2;
  return policy;
}

TEST_F(SupervisorHealthTest, AHungOneIsFoundAndStartedAgain) {
  const auto supervisor = MustStart(ServerPlugin({}), Watchful());
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  Stop(*supervisor->client());
  const absl::Time stopped = absl::Now();
  ASSERT_TRUE(ComesBack(*supervisor, pid));
  // interval * failures + timeout, and the ladder of a stopped process.
  EXPECT_LT(absl::Now() - stopped,
            absl::Milliseconds(800) + ShortLadder().shutdown.Total() + kGrace);
  ExpectError(supervisor->Status().last_failure,
              {Reason::kTimeout, "replica 0, generation 1", "HealthPolicy"});
}

TEST_F(SupervisorHealthTest, OneThatIsWellIsLeftAlone) {
  for (const char* flag :
       {"--health=serving", "--health=unimplemented", "--health=not_found"}) {
    const auto supervisor = MustStart(ServerPlugin({flag}), Watchful());
    ASSERT_NE(supervisor, nullptr);
    const pid_t pid = PidOf(*supervisor);
    absl::SleepFor(absl::Seconds(1));
    EXPECT_EQ(PidOf(*supervisor), pid) << flag;
    EXPECT_TRUE(IsReady(*supervisor)) << flag;
  }
}

TEST_F(SupervisorHealthTest, OneThatDoesNotServeIsNotUsed) {
  const auto supervisor =
      MustStart(ServerPlugin({"--health=not_serving"}), Watchful());
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->client(), nullptr);
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kDegraded);
  const pid_t pid = supervisor->Status().replicas[0].pid;
  EXPECT_GT(pid, 0);
  absl::SleepFor(absl::Seconds(1));
  EXPECT_EQ(supervisor->Status().replicas[0].pid, pid);
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 0);
}

TEST_F(SupervisorHealthTest, WithTheUsersInterceptors) {
  ClientOptions options = ShortLadder();
  std::atomic<int> made{0};
  options.interceptors = [&made] {
    ++made;
    return std::vector<std::unique_ptr<
        grpc::experimental::ClientInterceptorFactoryInterface>>();
  };
  const auto supervisor = MustStart(ServerPlugin({}), Watchful(), options);
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  Stop(*supervisor->client());
  EXPECT_TRUE(ComesBack(*supervisor, pid));
  EXPECT_EQ(made, 2);
}

TEST_F(SupervisorPrepareTest, RunsBeforeTheFirstUseOfEachProcess) {
  std::atomic<int> prepared{0};
  SupervisorOptions policy = QuickPolicy(2);
  policy.prepare = [&prepared](Client& plugin, Deadline deadline) {
    EXPECT_GT(deadline, std::chrono::system_clock::now());
    EXPECT_EQ(Put(plugin, "prepared", "yes"), "");
    ++prepared;
    return absl::OkStatus();
  };
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(prepared, 2);
  const pid_t pid = PidOf(*supervisor, 1);
  kill(pid, SIGKILL);
  ASSERT_TRUE(ComesBack(*supervisor, pid, 1));
  EXPECT_EQ(prepared, 3);
  EXPECT_EQ(supervisor->Scale(3), absl::OkStatus());
  ASSERT_TRUE(ComesBack(*supervisor, -1, 2));
  EXPECT_EQ(prepared, 4);
  EXPECT_EQ(supervisor->Replace(ServerPlugin({"--lifetime=100"})),
            absl::OkStatus());
  EXPECT_EQ(prepared, 7);
}

TEST_F(SupervisorPrepareTest, ItsErrorIsAFailedStart) {
  SupervisorOptions policy = QuickPolicy();
  bool fails = true;
  policy.prepare = [&fails](Client&, Deadline) {
    return fails ? absl::PermissionDeniedError("sealed") : absl::OkStatus();
  };
  const absl::Status started =
      Supervisor::Start(ServerPlugin({}), ShortLadder(), policy).status();
  EXPECT_EQ(started.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(GetErrorDetails(started)->what,
            "the plugin was launched and could not be prepared");
  EXPECT_TRUE(absl::StrContains(started.message(), "sealed")) << started;
  fails = false;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  fails = true;
  const absl::Status replaced = supervisor->Replace(ServerPlugin({}));
  EXPECT_TRUE(absl::StrContains(replaced.message(), "sealed")) << replaced;
  EXPECT_EQ(PidOf(*supervisor), pid);
}

TEST_F(SupervisorPrepareTest, OneThatHangsEndsByItsDeadline) {
  SupervisorOptions policy = QuickPolicy();
  policy.prepare_timeout = absl::Milliseconds(300);
  const auto go_on = std::make_shared<absl::Notification>();
  policy.prepare = [go_on](Client&, Deadline) {
    go_on->WaitForNotification();
    return absl::OkStatus();
  };
  const absl::Time start = absl::Now();
  ExpectError(
      Supervisor::Start(ServerPlugin({}), ShortLadder(), policy).status(),
      {Reason::kTimeout, "not prepared in time", "prepare_timeout"});
  EXPECT_LT(absl::Now() - start, kGrace);
  go_on->Notify();
}

TEST_F(SupervisorPrepareTest, MayNotBlockOnTheClient) {
  SupervisorOptions policy = QuickPolicy();
  policy.prepare = [](Client& plugin, Deadline) { return plugin.Shutdown(); };
  ExpectError(
      Supervisor::Start(ServerPlugin({}), ShortLadder(), policy).status(),
      {Reason::kWrongThread, "generation 1", ""});
}

}  // namespace
}  // namespace goplugin::testing
