// The end of plugins that go by themselves, and of those that don't.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr char kMoreTime[] = "give it more time with ClientOptions::shutdown";

ExitStatus Exited(int code) { return {ExitStatus::Kind::kExited, code}; }
ExitStatus Signalled(int number) {
  return {ExitStatus::Kind::kSignalled, number};
}

class ShutdownTest : public HarnessTest {
 protected:
  static std::unique_ptr<Client> Start(std::vector<std::string> flags) {
    return MustLaunch(ServerPlugin(std::move(flags)), ShortLadder());
  }

  // Shuts down in the time the ladder has, and tells the exit as asked for.
  static absl::Status TimedShutdown(Client& client) {
    Mailbox<absl::Status> exit;
    client.OnExit(
        [&](ExitStatus, absl::Status why) { exit.Put(std::move(why)); });
    const absl::Time start = absl::Now();
    absl::Status bye = client.Shutdown();
    EXPECT_LT(absl::Now() - start, ShortLadder().shutdown.Total() + kGrace);
    EXPECT_TRUE(client.exited());
    const absl::optional<absl::Status> why = exit.Take();
    EXPECT_EQ(why, absl::OkStatus());
    return bye;
  }

  static void ExpectForced(std::vector<std::string> flags, ExitStatus exit,
                           const std::string& evidence) {
    std::unique_ptr<Client> client = Start(std::move(flags));
    ASSERT_NE(client, nullptr);
    const absl::Status bye = TimedShutdown(*client);
    ExpectError(bye, {Reason::kShutdownForced, evidence, kMoreTime});
    EXPECT_EQ(client->exit_status(), exit) << bye;
    // Told again, not done again.
    EXPECT_EQ(client->Shutdown(), bye);
  }

  static void ExpectOk(std::vector<std::string> flags, ExitStatus exit) {
    std::unique_ptr<Client> client =
        MustLaunch(ServerPlugin(std::move(flags)), PlainOptions());
    ASSERT_NE(client, nullptr);
    const absl::Status bye = TimedShutdown(*client);
    EXPECT_TRUE(bye.ok()) << bye;
    ASSERT_TRUE(client->exit_status().has_value());
    EXPECT_EQ(*client->exit_status(), exit)
        << client->exit_status()->ToString();
  }
};

TEST_F(ShutdownTest, GoesWhenAsked) { ExpectOk({}, Exited(0)); }

TEST_F(ShutdownTest, TheExitCodeIsThePluginsBusiness) {
  ExpectOk({"--exit-code=4"}, Exited(4));
}

TEST_F(ShutdownTest, CutsTheConnectionInsteadOfAnAnswer) {
  ExpectOk({"--shutdown=cut"}, Exited(0));
}

TEST_F(ShutdownTest, SlowWithinItsTime) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--slow-exit=500ms"}), PlainOptions());
  ASSERT_NE(client, nullptr);
  const absl::Status bye = TimedShutdown(*client);
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_TRUE(client->exit_status()->success());
}

TEST_F(ShutdownTest, SlowerThanItsTime) {
  ExpectForced({"--slow-exit=60s"}, Signalled(SIGTERM), "SIGTERM");
}

TEST_F(ShutdownTest, IgnoresShutdown) {
  ExpectForced({"--ignore-shutdown"}, Signalled(SIGTERM),
               "the Shutdown call: answered");
}

TEST_F(ShutdownTest, HangsInShutdown) {
  ExpectForced({"--shutdown=hang"}, Signalled(SIGTERM), "DEADLINE_EXCEEDED");
}

TEST_F(ShutdownTest, RefusesShutdown) {
  ExpectForced({"--shutdown=error"}, Signalled(SIGTERM), "refusing");
}

TEST_F(ShutdownTest, IgnoresSigtermToo) {
  ExpectForced({"--ignore-shutdown", "--ignore-sigterm"}, Signalled(SIGKILL),
               "SIGKILL");
}

TEST_F(ShutdownTest, StoppedBySigstop) {
  std::unique_ptr<Client> client = Start({});
  ASSERT_NE(client, nullptr);
  Stop(*client);
  ExpectError(TimedShutdown(*client),
              {Reason::kShutdownForced, "SIGKILL", kMoreTime});
  EXPECT_EQ(client->exit_status(), Signalled(SIGKILL));
}

// It can't be asked, so that a signal is nothing to complain about.
TEST_F(ShutdownTest, NoController) {
  ExpectOk({"--no-controller"}, Signalled(SIGTERM));
}

TEST_F(ShutdownTest, NoControllerAndIgnoresSigterm) {
  ExpectForced({"--no-controller", "--ignore-sigterm"}, Signalled(SIGKILL),
               "UNIMPLEMENTED");
}

TEST_F(ShutdownTest, ZeroTimesSkipTheWaits) {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::ZeroDuration();
  options.shutdown.exit_timeout = absl::ZeroDuration();
  options.shutdown.terminate_timeout = absl::ZeroDuration();
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--ignore-shutdown"}), options);
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  ExpectError(client->Shutdown(),
              {Reason::kShutdownForced, "SIGTERM", kMoreTime});
  EXPECT_LT(absl::Now() - start, kGrace);
}

TEST_F(ShutdownTest, CrashBeforeIt) {
  std::unique_ptr<Client> client = Start({});
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGSEGV), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  const absl::Status bye = client->Shutdown();
  ExpectError(bye, {Reason::kCrashed, "SIGSEGV", "a bug in the plugin"});
  EXPECT_EQ(client->Shutdown(), bye);
}

TEST_F(ShutdownTest, KillIsQuickAndNoError) {
  std::unique_ptr<Client> client =
      Start({"--ignore-shutdown", "--ignore-sigterm"});
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  const absl::Status killed = client->Kill();
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_TRUE(killed.ok()) << killed;
  EXPECT_EQ(client->exit_status(), Signalled(SIGKILL));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(client->Kill().ok());
}

// Kill goes past a shutdown that is under way.
TEST_F(ShutdownTest, KillDuringShutdown) {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::Hours(1);
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--shutdown=hang"}), options);
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> bye;
  client->ShutdownAsync([&](absl::Status s) { bye.Put(std::move(s)); });
  const absl::Time start = absl::Now();
  EXPECT_TRUE(client->Kill().ok());
  EXPECT_LT(absl::Now() - start, kGrace);
  const absl::optional<absl::Status> told = bye.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->ok()) << *told;
}

TEST_F(ShutdownTest, TheDestructorTakesNoLongerThanTheLadder) {
  std::unique_ptr<Client> client =
      Start({"--ignore-shutdown", "--ignore-sigterm"});
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  client.reset();
  EXPECT_LT(absl::Now() - start,
            ShortLadder().shutdown.Total() + absl::Seconds(1) + kGrace);
}

}  // namespace
}  // namespace goplugin::testing
