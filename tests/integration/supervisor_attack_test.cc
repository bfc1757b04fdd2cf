// Hosts and plugins that are careless with a supervisor, or out to harm it.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised_calls.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

struct EndByOthers {
  const char* name;
  std::function<void(Client&)> end;
};

class SupervisorEndByOthersTest
    : public HarnessTest,
      public ::testing::WithParamInterface<EndByOthers> {};

TEST_P(SupervisorEndByOthersTest, IsAFailure) {
  SupervisorOptions policy = QuickPolicy();
  // Nothing else tells.
  policy.health.interval = absl::InfiniteDuration();
  const auto supervisor = MustStart(ServerPlugin({}), policy, PlainOptions());
  ASSERT_NE(supervisor, nullptr);
  const std::shared_ptr<Client> client = supervisor->client();
  const pid_t pid = client->pid();
  GetParam().end(*client);
  EXPECT_TRUE(ComesBack(*supervisor, pid));
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 1);
  ExpectError(supervisor->Status().last_failure,
              {Reason::kShutDown, "replica 0, generation 1", ""});
}

INSTANTIATE_TEST_SUITE_P(
    Ways, SupervisorEndByOthersTest,
    ::testing::Values(EndByOthers{"Shutdown",
                                  [](Client& client) {
                                    EXPECT_EQ(client.Shutdown(),
                                              absl::OkStatus());
                                  }},
                      EndByOthers{
                          "Kill",
                          [](Client& client) { client.Kill().IgnoreError(); }},
                      EndByOthers{"ShutdownAll",
                                  [](Client&) {
                                    EXPECT_EQ(Client::ShutdownAll(kPatience),
                                              absl::OkStatus());
                                  }}),
    [](const ::testing::TestParamInfo<EndByOthers>& param) {
      return std::string(param.param.name);
    });

using SupervisorAttackTest = HarnessTest;

TEST_F(SupervisorAttackTest, AReplaceThatFailsFixesNoVersion) {
  ClientOptions options = ShortLadder();
  options.handshake.protocol_versions = {1, 2};
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.prepare_timeout = absl::Milliseconds(300);
  const auto supervisor = MustStart(ServerPlugin({}), policy, options);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_FALSE(
      supervisor
          ->Replace(ServerPlugin({"--versions=2", "--health=not_serving"}))
          .ok());
  const Answer answer = AskStub(*supervisor->NewStub<proto::KV>(), "!pid");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
}

// A monitor that looks at it does not keep it awake.
TEST_F(SupervisorAttackTest, WhoLooksAtTheStateStartsNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto channel = supervisor->channel();
  EXPECT_EQ(channel->GetState(/*try_to_connect=*/false), GRPC_CHANNEL_IDLE);
  EXPECT_FALSE(channel->WaitForStateChange(
      GRPC_CHANNEL_IDLE,
      absl::ToChronoTime(absl::Now() + absl::Milliseconds(200))));
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
  EXPECT_TRUE(
      channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
  EXPECT_TRUE(IsReady(*supervisor));
}

// Launch takes any answer of the health service for one of a plugin that lives.
TEST_F(SupervisorAttackTest, AnyAnswerOfTheHealthServiceIsOne) {
  SupervisorOptions policy = QuickPolicy();
  policy.prepare_timeout = absl::Seconds(2);
  policy.health.interval = absl::Milliseconds(20);
  policy.health.failures = 1;
  for (const char* health : {"--health=large", "--health=bomb"}) {
    const auto supervisor =
        MustStart(ServerPlugin({health, "--large=5MB"}), policy);
    ASSERT_NE(supervisor, nullptr);
    const pid_t pid = PidOf(*supervisor);
    EXPECT_NE(pid, -1);
    absl::SleepFor(absl::Milliseconds(500));
    EXPECT_EQ(PidOf(*supervisor), pid);
    EXPECT_EQ(supervisor->Status().replicas[0].restarts, 0);
  }
}

TEST_F(SupervisorAttackTest, TheShortestTimeoutForHealthMovesNoDeadline) {
  SupervisorOptions policy = QuickPolicy();
  policy.health.timeout = absl::Nanoseconds(1);
  policy.prepare_timeout = absl::Milliseconds(300);
  Gate gate;
  gate.Close();
  policy.prepare = gate.Prepare();
  Mailbox<absl::Status> told;
  Supervisor::StartAsync(
      ServerPlugin({}), ShortLadder(), policy,
      [&](absl::StatusOr<std::unique_ptr<Supervisor>> supervisor) {
        told.Put(supervisor.status());
      });
  const absl::optional<absl::Status> status = told.Take();
  gate.Open();
  ASSERT_TRUE(status.has_value());
  ExpectError(*status, {Reason::kTimeout, "not prepared in time", ""});
}

TEST_F(SupervisorAttackTest, NullCallbacks) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  supervisor->OnState(nullptr);
  supervisor->OnGeneration(nullptr);
  supervisor->RestartAsync(nullptr);
  supervisor->ReplaceAsync(ServerPlugin({}), nullptr);
  EXPECT_EQ(supervisor->Restart(), absl::OkStatus());
  supervisor->ShutdownAsync(nullptr);
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorAttackTest, ThousandsOfCallsWaitAtItsEnd) {
  constexpr int kCalls = 5000;
  SupervisorOptions policy = QuickPolicy();
  policy.max_waiting = kCalls / 2;
  policy.restart.initial = policy.restart.max = absl::Hours(1);
  policy.restart.jitter = 0;
  auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = KillSeen(*supervisor);
  ASSERT_TRUE(ComesBack(*supervisor, pid));
  KillSeen(*supervisor);
  struct Call {
    grpc::ClientContext context;
    proto::GetRequest request;
    proto::GetResponse response;
  };
  const auto kv = supervisor->NewStub<proto::KV>();
  std::vector<Call> calls(kCalls);
  std::atomic<int> unavailable{0};
  std::atomic<int> exhausted{0};
  std::atomic<int> over{0};
  for (Call& call : calls) {
    call.request.set_key("!pid");
    kv->async()->Get(&call.context, &call.request, &call.response,
                     [&](const grpc::Status& status) {
                       const grpc::StatusCode code = status.error_code();
                       unavailable += code == grpc::StatusCode::UNAVAILABLE;
                       exhausted +=
                           code == grpc::StatusCode::RESOURCE_EXHAUSTED;
                       ++over;
                     });
  }
  EXPECT_TRUE(Eventually([&] { return exhausted == kCalls / 2; }))
      << exhausted << " exhausted, " << unavailable << " unavailable, " << over
      << " over";
  const absl::Time begun = absl::Now();
  supervisor.reset();
  EXPECT_LT(absl::Now() - begun, absl::Seconds(2));
  EXPECT_TRUE(Eventually([&] { return over == kCalls; }));
  EXPECT_EQ(unavailable, kCalls / 2);
}

TEST_F(SupervisorAttackTest, EndsInACallOfGrpc) {
  for (const bool waits : {false, true}) {
    SupervisorOptions policy = QuickPolicy();
    if (waits) policy.start = StartMode::kLazy;
    auto supervisor = MustStart(ServerPlugin({}), policy);
    ASSERT_NE(supervisor, nullptr);
    auto kv = supervisor->NewStub<proto::KV>();
    auto* const raw_kv = kv.get();
    grpc::ClientContext context;
    proto::GetRequest request;
    request.set_key("!pid");
    proto::GetResponse response;
    absl::Notification gone;
    raw_kv->async()->Get(
        &context, &request, &response,
        [supervisor = std::shared_ptr<Supervisor>(std::move(supervisor)),
         kv = std::shared_ptr<proto::KV::Stub>(std::move(kv)),
         &gone](const grpc::Status& status) mutable {
          EXPECT_TRUE(status.ok()) << status.error_message();
          supervisor.reset();
          kv.reset();
          gone.Notify();
        });
    gone.WaitForNotification();
  }
}

TEST_F(SupervisorAttackTest, EverythingAtOnce) {
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    SupervisorOptions policy = QuickPolicy(2);
    policy.drain_timeout = absl::Milliseconds(100);
    policy.health.interval = absl::Milliseconds(5);
    if (round % 2 == 1) policy.idle_timeout = absl::Milliseconds(20);
    auto supervisor = MustStart(ServerPlugin({}), policy);
    ASSERT_NE(supervisor, nullptr);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    const auto repeat = [&](std::function<void()> action) {
      threads.emplace_back([&stop, action] {
        while (!stop) action();
      });
    };
    std::atomic<int> number{0};
    repeat([&] { supervisor->Replace(ServerPlugin({})).IgnoreError(); });
    repeat([&] { supervisor->Restart().IgnoreError(); });
    repeat([&] {
      supervisor->Scale(1 + ++number % 4).IgnoreError();
      absl::SleepFor(absl::Milliseconds(7));
    });
    repeat([&] {
      const std::shared_ptr<Client> client = supervisor->client();
      if (client != nullptr) kill(client->pid(), SIGKILL);
      absl::SleepFor(absl::Milliseconds(30));
    });
    repeat([&] {
      const SupervisorStatus status = supervisor->Status();
      for (const ReplicaStatus& replica : status.replicas) {
        EXPECT_GE(replica.silent, absl::ZeroDuration());
        EXPECT_GE(replica.uptime, absl::ZeroDuration());
        EXPECT_GE(replica.calls_under_way, 0);
      }
      supervisor->channel()->GetState(false);
    });
    const auto kv = supervisor->NewStub<proto::KV>();
    for (int i = 0; i < 4; ++i) {
      repeat([&] { AskStub(*kv, "!pid", absl::Milliseconds(200)); });
    }
    absl::SleepFor(absl::Seconds(2));
    const absl::Time begun = absl::Now();
    supervisor->Shutdown().IgnoreError();
    EXPECT_LT(absl::Now() - begun, ShortLadder().shutdown.Total() + kGrace);
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
    supervisor.reset();
  }
}

}  // namespace
}  // namespace goplugin::testing
