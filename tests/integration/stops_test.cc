// Plugins that are stopped from elsewhere while their host shuts down, as by
// "systemctl stop", and those that end with their stdin.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

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

class StopsTest : public HarnessTest {
 protected:
  StopsTest() { options_.log_sink = log_; }

  std::shared_ptr<RecordingLogSink> log_ = std::make_shared<RecordingLogSink>();
  ClientOptions options_ = PlainOptions();
};

TEST_F(StopsTest, AStopJustBeforeShutdownIsToldAsSuch) {
  for (const int signal : {SIGTERM, SIGHUP}) {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
    ASSERT_NE(client, nullptr);
    ASSERT_EQ(kill(client->pid(), signal), 0);
    ASSERT_TRUE(client->WaitForExit(kPatience).ok());
    const absl::Status bye = client->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_EQ(client->exit_status(),
              (ExitStatus{ExitStatus::Kind::kSignalled, signal}));
    EXPECT_TRUE(log_->WaitForMessage("by a signal from elsewhere"));
  }
}

TEST_F(StopsTest, ByShutdownAsyncToo) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGTERM), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  Mailbox<absl::Status> bye;
  client->ShutdownAsync([&bye](absl::Status status) { bye.Put(status); });
  const absl::optional<absl::Status> told = bye.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->ok()) << *told;
}

TEST_F(StopsTest, AStopInTheMiddleOfShutdown) {
  options_.shutdown.exit_timeout = absl::Seconds(20);
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--shutdown=ignore"}), options_);
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> bye;
  client->ShutdownAsync([&bye](absl::Status status) { bye.Put(status); });
  ASSERT_EQ(kill(client->pid(), SIGTERM), 0);
  const absl::optional<absl::Status> told = bye.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->ok()) << *told;
}

// As Serve's do: SIGTERM is an orderly end to them.
TEST_F(StopsTest, OfAPluginThatHandlesTheSignal) {
  options_.handshake.magic_cookie_key = "BASIC_PLUGIN";
  options_.handshake.magic_cookie_value = "hello";
  std::unique_ptr<Client> client = MustLaunch(
      Command{RunfilePath("examples/plugin_cpp/plugin_cpp")}, options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGTERM), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  const absl::Status bye = client->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_TRUE(client->exit_status()->success());
  EXPECT_TRUE(log_->WaitForMessage("has ended in good order, with exit code"));
}

// Any other signal is a crash, however close.
TEST_F(StopsTest, AnotherSignalIsACrash) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options_);
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  ASSERT_TRUE(client->WaitForExit(kPatience).ok());
  ExpectError(client->Shutdown(), {Reason::kCrashed, "SIGKILL", "killed it"});
}

TEST_F(StopsTest, APluginThatEndsWithItsStdinIsHintedAt) {
  ExpectError(
      Client::Launch(ServerPlugin({"--ends-with-stdin"}), options_).status(),
      {Reason::kExitedEarly, "exit code 0", "Command::Stdin::kPipe"});
}

TEST_F(StopsTest, TheEndOfStdinIsTheFirstStepOfAShutdown) {
  for (const char* controller : {"ok", "ignore", "unimplemented"}) {
    SCOPED_TRACE(controller);
    Command command = ServerPlugin(
        {"--ends-with-stdin", std::string("--shutdown=") + controller});
    command.stdin_mode = Command::Stdin::kPipe;
    std::unique_ptr<Client> client = MustLaunch(command, options_);
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    const absl::Time start = absl::Now();
    const absl::Status bye = client->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_LT(absl::Now() - start, absl::Seconds(1));
    EXPECT_TRUE(client->exit_status()->success());
  }
}

TEST_F(StopsTest, APluginThatDoesNotCareForItsStdin) {
  Command command = ServerPlugin({"--ignore-shutdown"});
  command.stdin_mode = Command::Stdin::kPipe;
  std::unique_ptr<Client> client = MustLaunch(command, ShortLadder());
  ASSERT_NE(client, nullptr);
  ExpectError(client->Shutdown(),
              {Reason::kShutdownForced, "its stdin was closed", "soon after"});
}

}  // namespace
}  // namespace goplugin::testing
