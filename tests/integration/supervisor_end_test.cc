// The end of supervisors, whatever they are at.

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// What a supervisor may be at when it ends.
struct Moment {
  const char* name;
  std::function<void(Supervisor&)> reach;
};

std::ostream& operator<<(std::ostream& out, const Moment& moment) {
  return out << moment.name;
}

void Ignore(absl::Status) {}

class SupervisorEndTest : public HarnessTest {};
class SupervisorEndAtTest : public SupervisorEndTest,
                            public ::testing::WithParamInterface<Moment> {
 protected:
  std::unique_ptr<Supervisor> Reach() {
    SupervisorOptions policy = QuickPolicy(2);
    policy.restart.initial = policy.restart.max = absl::Minutes(1);
    auto supervisor = MustStart(ServerPlugin({}), policy);
    if (supervisor != nullptr) GetParam().reach(*supervisor);
    return supervisor;
  }
};

TEST_P(SupervisorEndAtTest, ByShutdown) {
  const auto supervisor = Reach();
  ASSERT_NE(supervisor, nullptr);
  const absl::Time start = absl::Now();
  const absl::Status status = supervisor->Shutdown();
  EXPECT_LT(absl::Now() - start, ShortLadder().shutdown.Total() + kGrace);
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
  ExpectError(supervisor->Replace(ServerPlugin({})),
              {Reason::kShutDown, "shut down", ""});
  ExpectError(supervisor->Restart(), {Reason::kShutDown, "shut down", ""});
}

TEST_P(SupervisorEndAtTest, ByTheDestructor) {
  auto supervisor = Reach();
  ASSERT_NE(supervisor, nullptr);
  const absl::Time start = absl::Now();
  supervisor.reset();
  EXPECT_LT(absl::Now() - start, ShortLadder().shutdown.Total() + kGrace);
}

TEST_P(SupervisorEndAtTest, ByTheDestructorInACallback) {
  auto supervisor = Reach();
  ASSERT_NE(supervisor, nullptr);
  absl::Notification gone;
  Supervisor* const raw = supervisor.release();
  raw->OnState(
      [raw, &gone, first = true](SupervisorState, const absl::Status&) mutable {
        if (!std::exchange(first, false)) return;
        delete raw;
        gone.Notify();
      });
  gone.WaitForNotification();
}

INSTANTIATE_TEST_SUITE_P(
    Moments, SupervisorEndAtTest,
    ::testing::Values(
        Moment{"Ready", [](Supervisor&) {}},
        Moment{"Dying",
               [](Supervisor& plugin) { kill(PidOf(plugin), SIGKILL); }},
        Moment{"InItsBackoff",
               [](Supervisor& plugin) {
                 const pid_t first = PidOf(plugin);
                 kill(first, SIGKILL);
                 ASSERT_TRUE(ComesBack(plugin, first));
                 kill(PidOf(plugin), SIGKILL);
                 ASSERT_TRUE(Eventually([&] { return PidOf(plugin) == -1; }));
               }},
        Moment{"Hung", [](Supervisor& plugin) { Stop(*plugin.client()); }},
        Moment{"Replacing",
               [](Supervisor& plugin) {
                 plugin.ReplaceAsync(ServerPlugin({"--delay=30s"}), Ignore);
               }},
        Moment{"Restarting",
               [](Supervisor& plugin) { plugin.RestartAsync(Ignore); }},
        Moment{"Scaling",
               [](Supervisor& plugin) {
                 EXPECT_EQ(plugin.Scale(5), absl::OkStatus());
               }}),
    [](const ::testing::TestParamInfo<Moment>& param) {
      return std::string(param.param.name);
    });

TEST_F(SupervisorEndTest, OneThatDiesJustBeforeIsNoErrorOfShutdown) {
  for (int i = 0; i < 10; ++i) {
    const auto supervisor = MustStart(ServerPlugin({}));
    ASSERT_NE(supervisor, nullptr);
    const std::shared_ptr<Client> client = supervisor->client();
    kill(client->pid(), SIGKILL);
    // On both sides of what is told.
    if (i % 2 == 1) Eventually([&] { return client->exited(); });
    EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
    ExpectError(supervisor->Status().last_failure,
                {Reason::kCrashed, "generation 1", ""});
  }
}

TEST_F(SupervisorEndTest, OfOneThatIsLazy) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
  EXPECT_EQ(supervisor->client(), nullptr);
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorEndTest, StartedAndDroppedInItsCallback) {
  absl::Notification told;
  Supervisor::StartAsync(
      ServerPlugin({}), ShortLadder(), QuickPolicy(2),
      [&told](absl::StatusOr<std::unique_ptr<Supervisor>> supervisor) {
        EXPECT_TRUE(supervisor.ok()) << supervisor.status();
        told.Notify();
      });
  told.WaitForNotification();
}

TEST_F(SupervisorEndTest, StartAsyncTellsErrors) {
  const std::vector<SupervisorSource> sources = {Misbehave({"exit1"}),
                                                 Command{""}};
  for (const SupervisorSource& source : sources) {
    Mailbox<absl::Status> told;
    Supervisor::StartAsync(
        source, ShortLadder(), QuickPolicy(),
        [&told](absl::StatusOr<std::unique_ptr<Supervisor>> supervisor) {
          told.Put(supervisor.status());
        });
    const absl::optional<absl::Status> status = told.Take();
    ASSERT_TRUE(status.has_value());
    EXPECT_FALSE(status->ok());
  }
}

TEST_F(SupervisorEndTest, BlockingMethodsInCallbacksSaySo) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  Mailbox<absl::Status> told;
  supervisor->OnGeneration(
      [&](int, std::uint64_t, const std::shared_ptr<Client>& client) {
        ExpectError(supervisor->Shutdown(), {Reason::kWrongThread, "", ""});
        ExpectError(supervisor->Restart(), {Reason::kWrongThread, "", ""});
        EXPECT_NE(client, nullptr);
        told.Put(absl::OkStatus());
      });
  EXPECT_TRUE(told.Take().has_value());
}

TEST_F(SupervisorEndTest, ItsClientsMayOutliveIt) {
  auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  const std::shared_ptr<Client> client = supervisor->client();
  supervisor.reset();
  EXPECT_TRUE(client->exited());
  EXPECT_EQ(Get(*client, "!pid").substr(0, 6), "error:");
}

TEST_F(SupervisorEndTest, AnAttachedOneIsConnectedToAgain) {
  const auto server =
      MustLaunch(ServerPlugin({"--socket-name=attached"}), PlainOptions());
  ASSERT_NE(server, nullptr);
  const std::string target = "unix:" + server->endpoint().address;
  SupervisorOptions policy = QuickPolicy();
  policy.health.interval = absl::Milliseconds(100);
  policy.health.timeout = absl::Milliseconds(200);
  policy.health.failures = 2;
  auto supervisor = MustStart(SupervisorSource::Attach(target), policy);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(PidOf(*supervisor), -1);
  EXPECT_EQ(Ask(*supervisor, "!pid"), std::to_string(server->pid()));
  Stop(*server);
  EXPECT_TRUE(Eventually([&] { return supervisor->client() == nullptr; }));
  kill(server->pid(), SIGCONT);
  EXPECT_TRUE(Eventually([&] {
    return Ask(*supervisor, "!pid") == std::to_string(server->pid());
  }));
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(Answers(*server)) << "it is somebody else's";
}

// Hosts that exit with a supervisor, in processes of their own.
class SupervisorExitTest : public SupervisorEndTest {
 protected:
  SupervisorExitTest() {
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
  static std::unique_ptr<Supervisor> BusySupervisor() {
    SupervisorOptions policy = QuickPolicy(2);
    // Something is always to be done.
    policy.health.interval = absl::Milliseconds(1);
    return MustStart(ServerPlugin({}), policy);
  }
};

TEST_F(SupervisorExitTest, WithOneThatIsLeftBehind) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EXIT(
        {
          static Supervisor* supervisor = nullptr;
          supervisor = BusySupervisor().release();
          exit(IsReady(*supervisor) ? 7 : 1);
        },
        ::testing::ExitedWithCode(7), "");
  }
}

TEST_F(SupervisorExitTest, WithAStaticOne) {
  EXPECT_EXIT(
      {
        static std::unique_ptr<Supervisor> supervisor;
        supervisor = BusySupervisor();
        exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST_F(SupervisorExitTest, WhileItRestartsAndIsReplaced) {
  EXPECT_EXIT(
      {
        static Supervisor* supervisor = nullptr;
        supervisor = BusySupervisor().release();
        kill(PidOf(*supervisor), SIGKILL);
        supervisor->ReplaceAsync(ServerPlugin({}), Ignore);
        exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST_F(SupervisorExitTest, WhileAnotherThreadWaits) {
  EXPECT_EXIT(
      {
        static Supervisor* supervisor = nullptr;
        supervisor = BusySupervisor().release();
        std::thread([] {
          supervisor->Replace(ServerPlugin({"--delay=30s"})).IgnoreError();
        }).detach();
        absl::SleepFor(absl::Milliseconds(100));
        exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace goplugin::testing
