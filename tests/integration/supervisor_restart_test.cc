// Supervised plugins that die, or can't be started any more.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class SupervisorRestartTest : public HarnessTest {
 protected:
  // The processor time that this process has used.
  static absl::Duration ProcessorTime() {
    struct rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return absl::DurationFromTimeval(usage.ru_utime) +
           absl::DurationFromTimeval(usage.ru_stime);
  }
};

TEST_F(SupervisorRestartTest, ServesUntilShutdown) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(Ask(*supervisor, "!pid"), std::to_string(PidOf(*supervisor)));
  const SupervisorStatus status = supervisor->Status();
  EXPECT_EQ(status.state, SupervisorState::kReady);
  ASSERT_EQ(status.replicas.size(), 1u);
  EXPECT_EQ(status.replicas[0].pid, PidOf(*supervisor));
  EXPECT_EQ(status.replicas[0].generation, 1u);
  EXPECT_TRUE(status.replicas[0].in_use);
  EXPECT_TRUE(status.replicas[0].last_failure.ok());
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
  EXPECT_EQ(supervisor->client(), nullptr);
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorRestartTest, AFirstStartThatFailsLeavesNothing) {
  absl::StatusOr<std::unique_ptr<Supervisor>> supervisor =
      Supervisor::Start(Misbehave({"exit1"}), PlainOptions(), QuickPolicy(3));
  ExpectError(supervisor.status(), {Reason::kExitedEarly, "replica ", ""});
  supervisor = Supervisor::Start(Command{"/no/such/plugin"}, PlainOptions());
  ExpectError(supervisor.status(), {Reason::kSpawn, "/no/such/plugin", ""});
}

TEST_F(SupervisorRestartTest, BadOptionsStartNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.jitter = 2;
  ExpectError(
      Supervisor::Start(ServerPlugin({}), PlainOptions(), policy).status(),
      {Reason::kOptions, "restart.jitter", ""});
  policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  ExpectError(Supervisor::Start(Command{""}, PlainOptions(), policy).status(),
              {Reason::kOptions, "Command::path", ""});
}

TEST_F(SupervisorRestartTest, AKilledOneComesBack) {
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = ShortLadder();
  options.log_sink = log;
  const auto supervisor =
      MustStart(ServerPlugin({"--stderr=hello"}), QuickPolicy(), options);
  ASSERT_NE(supervisor, nullptr);
  Observer observer;
  observer.Watch(*supervisor);
  for (int i = 1; i <= 3; ++i) {
    const pid_t pid = PidOf(*supervisor);
    kill(pid, SIGKILL);
    ASSERT_TRUE(ComesBack(*supervisor, pid));
    const ReplicaStatus replica = supervisor->Status().replicas[0];
    EXPECT_EQ(replica.restarts, i);
    ExpectError(replica.last_failure,
                {Reason::kCrashed, absl::StrCat("replica 0, generation ", i),
                 "killed"});
  }
  // Whose entries they are.
  EXPECT_TRUE(log->WaitFor([](const LogEntry& entry) {
    return entry.message == "hello" && entry.fields.size() == 2 &&
           entry.fields[0] ==
               std::make_pair(std::string("replica"), std::string("0")) &&
           entry.fields[1] ==
               std::make_pair(std::string("generation"), std::string("4"));
  }));
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(Eventually(
      [&] { return observer.states().back() == SupervisorState::kStopped; }));
  EXPECT_EQ(observer.generations(), (std::vector<std::uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(observer.states().front(), SupervisorState::kReady);
  ExpectError(observer.why(), {Reason::kCrashed, "generation 3", ""});
}

TEST_F(SupervisorRestartTest, OneOfSeveralComesBackAndTheOthersServe) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(3));
  ASSERT_NE(supervisor, nullptr);
  const pid_t pids[] = {PidOf(*supervisor, 0), PidOf(*supervisor, 1),
                        PidOf(*supervisor, 2)};
  kill(pids[1], SIGKILL);
  ASSERT_TRUE(ComesBack(*supervisor, pids[1], 1));
  EXPECT_EQ(PidOf(*supervisor, 0), pids[0]);
  EXPECT_EQ(PidOf(*supervisor, 2), pids[2]);
}

TEST_F(SupervisorRestartTest, OneThatCrashesAtOnceIsGivenUp) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 3;
  const auto supervisor = MustStart(ServerPlugin({"--die-after=1s"}), policy);
  ASSERT_NE(supervisor, nullptr);
  ASSERT_TRUE(Eventually(
      [&] { return supervisor->Status().state == SupervisorState::kGaveUp; }));
  const SupervisorStatus status = supervisor->Status();
  EXPECT_TRUE(status.breaker_open);
  // The first, and `intensity` more.
  EXPECT_EQ(status.replicas[0].restarts, 3);
  ExpectError(status.last_failure,
              {Reason::kCrashed, "replica 0, generation 4", ""});
  EXPECT_GT(status.replicas[0].next_attempt, absl::Minutes(4));
  EXPECT_EQ(supervisor->client(), nullptr);
  const absl::Duration before = ProcessorTime();
  absl::SleepFor(absl::Seconds(2));
  EXPECT_LT(ProcessorTime() - before, absl::Milliseconds(100));
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 3);
  ExpectError(supervisor->Explain(
                  grpc::Status(grpc::StatusCode::UNAVAILABLE, "no replica")),
              {Reason::kCrashed, "no replica", ""});
}

TEST_F(SupervisorRestartTest, AProgramThatIsGoneIsGivenUpAtOnce) {
  Command command = ServerPlugin({});
  const std::string copy = ScratchPath("plugin");
  CopyProgram(command.path, copy);
  command.path = copy;
  const auto supervisor = MustStart(command);
  ASSERT_NE(supervisor, nullptr);
  std::filesystem::rename(copy, copy + ".away");
  kill(PidOf(*supervisor), SIGKILL);
  ASSERT_TRUE(Eventually(
      [&] { return supervisor->Status().state == SupervisorState::kGaveUp; }));
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 1);
  ExpectError(supervisor->Status().last_failure, {Reason::kSpawn, copy, ""});
  // Still away, and then back.
  ExpectError(supervisor->Restart(), {Reason::kSpawn, copy, ""});
  std::filesystem::rename(copy + ".away", copy);
  EXPECT_EQ(supervisor->Restart(), absl::OkStatus());
  EXPECT_TRUE(IsReady(*supervisor));
}

TEST_F(SupervisorRestartTest, TheBreakerTriesAgainAfterItsCoolDown) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 0;
  policy.restart.period = absl::Milliseconds(1);
  policy.restart.cool_down = absl::Milliseconds(300);
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  const absl::Time killed = absl::Now();
  kill(pid, SIGKILL);
  ASSERT_TRUE(ComesBack(*supervisor, pid));
  EXPECT_GE(absl::Now() - killed, absl::Milliseconds(300));
  EXPECT_FALSE(supervisor->Status().breaker_open);
}

TEST_F(SupervisorRestartTest, ExplainsACallThatDied) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  const std::shared_ptr<Client> client = supervisor->client();
  const pid_t pid = client->pid();
  EXPECT_EQ(Get(*client, "!exit:3").substr(0, 6), "error:");
  ExpectError(supervisor->Explain(
                  grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed")),
              {Reason::kCrashed, "generation 1", ""});
  EXPECT_EQ(supervisor->Explain(grpc::Status::OK), absl::OkStatus());
  // The plugin's own answer.
  const absl::Status answer = supervisor->Explain(
      grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late"));
  EXPECT_EQ(answer.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(GetErrorDetails(answer)->reason, Reason::kUnknown);
  EXPECT_TRUE(ComesBack(*supervisor, pid));
}

}  // namespace
}  // namespace goplugin::testing
