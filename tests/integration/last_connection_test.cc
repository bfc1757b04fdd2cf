// Plugins that end when their last connection does, and by nothing else: the
// end of a client must close it, while the client is still there.

#include <memory>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

Command EndsWithItsConnection() {
  return ServerPlugin(
      {"--ends-with-connection", "--shutdown=ignore", "--ignore-sigterm"});
}

// The connection must be gone long before anybody signals.
ClientOptions Patient() {
  ClientOptions options = PlainOptions();
  options.shutdown.exit_timeout = absl::Seconds(5);
  return options;
}

class LastConnectionTest : public HarnessTest {
 protected:
  static void ExpectOrderlyEnd(Client& client) {
    EXPECT_EQ(client.Shutdown(), absl::OkStatus());
    ASSERT_TRUE(client.exit_status().has_value());
    EXPECT_EQ(client.exit_status()->kind, ExitStatus::Kind::kExited);
    EXPECT_EQ(client.exit_status()->value, 0);
  }
};

TEST_F(LastConnectionTest, ThePluginEndsByItself) {
  const auto client = MustLaunch(EndsWithItsConnection(), Patient());
  ASSERT_NE(client, nullptr);
  ExpectOrderlyEnd(*client);
}

TEST_F(LastConnectionTest, AfterCallsOfTheHostsAndTheSdks) {
  const auto client = MustLaunch(EndsWithItsConnection(), Patient());
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Ping(), absl::OkStatus());
  ExpectOrderlyEnd(*client);
}

// One that answers no Shutdown call, and hangs in it.
TEST_F(LastConnectionTest, WhileTheShutdownCallHangs) {
  ClientOptions options = Patient();
  options.shutdown.rpc_timeout = absl::Milliseconds(200);
  const auto client =
      MustLaunch(ServerPlugin({"--ends-with-connection", "--shutdown=hang",
                               "--ignore-sigterm"}),
                 options);
  ASSERT_NE(client, nullptr);
  EXPECT_FALSE(client->exited());
  client->Shutdown().IgnoreError();
  ASSERT_TRUE(client->exit_status().has_value());
  EXPECT_EQ(client->exit_status()->kind, ExitStatus::Kind::kExited);
}

// A launch that is given up once it is connected.
TEST_F(LastConnectionTest, AtTheEndOfAFailedLaunch) {
  ClientOptions options = Patient();
  options.start_timeout = absl::Seconds(2);
  Command command = EndsWithItsConnection();
  command.args.emplace_back("--health=hang");
  const absl::Time start = absl::Now();
  const auto client = Client::Launch(command, options);
  EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
  ExpectError(client.status(), {Reason::kConnect, "", ""});
}

}  // namespace
}  // namespace goplugin::testing
