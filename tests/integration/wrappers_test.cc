// Plugins behind scripts that do not exec them, as virtual environments, npm
// and debuggers have: nothing stays behind, however the client ends. The
// harness looks for what does.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A shell between, and one more for each level. It outlives what it runs.
Command Wrapped(Command plugin, int levels = 1) {
  for (int i = 0; i < levels; ++i) {
    Command shell{"/bin/sh"};
    shell.args = {"-c", "\"$@\"; true", "wrapper", plugin.path};
    shell.args.insert(shell.args.end(), plugin.args.begin(), plugin.args.end());
    plugin = std::move(shell);
  }
  return plugin;
}

// A script that starts something else beside the plugin, and execs that.
Command Beside(const std::string& other, Command plugin) {
  Command shell{"/bin/sh"};
  shell.args = {"-c", other + " exec \"$@\"", "wrapper", plugin.path};
  shell.args.insert(shell.args.end(), plugin.args.begin(), plugin.args.end());
  return shell;
}

class WrappersTest : public HarnessTest {};

TEST_F(WrappersTest, ShutdownEndsThePluginByItsCall) {
  std::unique_ptr<Client> client = MustLaunch(Wrapped(ServerPlugin({})));
  ASSERT_NE(client, nullptr);
  EXPECT_FALSE(Get(*client, "!pid").empty());
  EXPECT_TRUE(client->Shutdown().ok());
}

TEST_F(WrappersTest, KillLeavesNothing) {
  for (const int levels : {1, 3}) {
    std::unique_ptr<Client> client =
        MustLaunch(Wrapped(ServerPlugin({}), levels));
    ASSERT_NE(client, nullptr);
    const absl::Status killed = client->Kill();
    EXPECT_TRUE(killed.ok()) << killed;
  }
}

TEST_F(WrappersTest, ShutdownThatTheyDoNotTakeLeavesNothing) {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--ignore-shutdown"},
        std::vector<std::string>{"--ignore-shutdown", "--ignore-sigterm"}}) {
    std::unique_ptr<Client> client =
        MustLaunch(Wrapped(ServerPlugin(flags)), ShortLadder());
    ASSERT_NE(client, nullptr);
    ExpectError(client->Shutdown(),
                {Reason::kShutdownForced, "SIGTERM", "soon after"});
  }
}

TEST_F(WrappersTest, InAGroupOfTheirOwnAsWell) {
  Command command =
      Beside("setsid sleep 60 >/dev/null 2>&1 &", ServerPlugin({}));
  command.process_group = Command::ProcessGroup::kOwn;
  std::unique_ptr<Client> client = MustLaunch(command);
  ASSERT_NE(client, nullptr);
  const absl::Status killed = client->Kill();
  EXPECT_TRUE(killed.ok()) << killed;
}

// It has ended as it was asked to.
TEST_F(WrappersTest, AHelperThatStaysIsNoFaultOfThePlugins) {
  const std::string helper =
      "(trap '' TERM; exec sleep 60) >/dev/null 2>&1 & sleep 0.1;";
  std::unique_ptr<Client> client = MustLaunch(
      Beside(helper, ServerPlugin({"--no-controller"})), ShortLadder());
  ASSERT_NE(client, nullptr);
  const absl::Status bye = client->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_EQ(client->exit_status(),
            (ExitStatus{ExitStatus::Kind::kSignalled, SIGTERM}));
}

// Whatever has killed the script has not reached what it had started.
TEST_F(WrappersTest, AWrapperThatIsKilledTakesThePluginWithIt) {
  for (const int levels : {1, 3}) {
    std::unique_ptr<Client> client =
        MustLaunch(Wrapped(ServerPlugin({}), levels));
    ASSERT_NE(client, nullptr);
    const pid_t plugin = std::stoi(Get(*client, "!pid"));
    ASSERT_NE(plugin, client->pid());
    absl::SleepFor(absl::Milliseconds(200));
    ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
    ASSERT_TRUE(client->WaitForExit(kPatience).ok());
    ExpectError(client->Shutdown(), {Reason::kCrashed, "SIGKILL", ""});
    EXPECT_NE(kill(plugin, 0), 0) << "it is left";
  }
}

TEST_F(WrappersTest, AFailedLaunchLeavesNothing) {
  ClientOptions options = PlainOptions();
  options.start_timeout = absl::Milliseconds(1500);
  for (const int levels : {1, 3}) {
    for (const char* how : {"silent", "ignore-sigterm", "app9"}) {
      SCOPED_TRACE(how);
      EXPECT_FALSE(
          Client::Launch(Wrapped(Misbehave({how}), levels), options).ok());
    }
  }
}

TEST_F(WrappersTest, ACancelledLaunchLeavesNothing) {
  Mailbox<absl::Status> result;
  LaunchOperation operation = Client::LaunchAsync(
      Wrapped(Misbehave({"silent"})), PlainOptions(),
      [&result](absl::StatusOr<std::unique_ptr<Client>> client) {
        result.Put(client.status());
      });
  absl::SleepFor(absl::Milliseconds(200));
  operation.Cancel();
  ASSERT_TRUE(result.Take().has_value());
}

}  // namespace
}  // namespace goplugin::testing
