// Every place that takes a duration takes any: infinite is no deadline,
// negative has passed, and none overflows.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// As good as infinite, and past what a clock of nanoseconds counts.
const absl::Duration kLongOnes[] = {
    absl::InfiniteDuration(), absl::Seconds(9223372036854775807),
    absl::Hours(24) * 365 * 292, absl::Hours(24) * 365 * 300,
    absl::Hours(1000)};

const absl::Duration kPassedOnes[] = {
    -absl::InfiniteDuration(), absl::Seconds(-9223372036854775807),
    -absl::Hours(24) * 365 * 60, absl::Seconds(-1), -absl::Nanoseconds(1)};

class DurationsTest : public HarnessTest {
 protected:
  static constexpr absl::Duration kAtOnce = absl::Seconds(1);

  // The best of three: a deadline that has passed is waited for by nobody.
  static absl::Duration Least(const std::function<void()>& act) {
    absl::Duration least = absl::InfiniteDuration();
    for (int i = 0; i < 3; ++i) {
      const absl::Time start = absl::Now();
      act();
      least = std::min(least, absl::Now() - start);
    }
    return least;
  }
};

TEST_F(DurationsTest, Ping) {
  auto client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  for (const absl::Duration wait : kLongOnes) {
    // The overflow showed in 14 to 27 of 100.
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(client->Ping(wait), absl::OkStatus()) << wait;
    }
  }
  for (const absl::Duration wait : kPassedOnes) {
    SCOPED_TRACE(wait);
    EXPECT_LT(Least([&] {
                ExpectError(client->Ping(wait),
                            {Reason::kTimeout, "DEADLINE_EXCEEDED",
                             "give Ping more time"});
              }),
              kAtOnce);
  }
  EXPECT_EQ(client->Ping(), absl::OkStatus());
}

TEST_F(DurationsTest, WaitForExit) {
  auto client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  for (const absl::Duration wait : kPassedOnes) {
    EXPECT_LT(Least([&] {
                ExpectError(client->WaitForExit(wait).status(),
                            {Reason::kTimeout, "still runs", "wait longer"});
              }),
              kAtOnce);
  }
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  for (const absl::Duration wait : kLongOnes) {
    EXPECT_TRUE(client->WaitForExit(wait).ok()) << wait;
  }
  // What is known needs no time.
  for (const absl::Duration wait : kPassedOnes) {
    EXPECT_TRUE(client->WaitForExit(wait).ok()) << wait;
  }
}

TEST_F(DurationsTest, ShutdownAll) {
  for (const absl::Duration wait : kLongOnes) {
    auto client = MustLaunch(ServerPlugin({}));
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Client::ShutdownAll(wait), absl::OkStatus()) << wait;
    EXPECT_TRUE(client->exit_status()->success());
  }
  for (const absl::Duration wait : kPassedOnes) {
    auto client = MustLaunch(ServerPlugin({"--ignore-shutdown"}));
    ASSERT_NE(client, nullptr);
    const absl::Time start = absl::Now();
    EXPECT_EQ(Client::ShutdownAll(wait), absl::OkStatus());
    EXPECT_LT(absl::Now() - start, kAtOnce);
    EXPECT_EQ(client->exit_status()->value, SIGKILL) << wait;
  }
}

TEST_F(DurationsTest, OptionsWithoutDeadlines) {
  for (const absl::Duration wait : kLongOnes) {
    ClientOptions options = PlainOptions();
    options.start_timeout = wait;
    options.slow_start_notice = wait;
    options.broker_keep = wait;
    options.shutdown.rpc_timeout = wait;
    options.shutdown.exit_timeout = wait;
    options.shutdown.terminate_timeout = wait;
    options.shutdown.kill_timeout = wait;
    EXPECT_GE(options.shutdown.Total(), wait);
    auto client = MustLaunch(ServerPlugin({}), options);
    ASSERT_NE(client, nullptr) << wait;
    EXPECT_EQ(client->Shutdown(), absl::OkStatus()) << wait;

    // The way into the error has no deadline either, and ends.
    ExpectError(
        Client::Launch(Misbehave({"exit1"}), options).status(),
        {Reason::kExitedEarly, "exit code 1", "Check what the plugin wrote"});

    // Nor has the last rung.
    client = MustLaunch(ServerPlugin({}), options);
    ASSERT_NE(client, nullptr) << wait;
    EXPECT_EQ(client->Kill(), absl::OkStatus()) << wait;
  }
}

TEST_F(DurationsTest, Dial) {
  for (const absl::Duration wait : kLongOnes) {
    ClientOptions options = KvOptions();
    options.broker_keep = wait;
    auto client = LaunchBrokerPlugin({}, options);
    ASSERT_NE(client, nullptr);
    const broker::Outcome accepted = PluginAccepts(*client, 1);
    ASSERT_EQ(accepted.ids_size(), 1);
    auto channel = client->broker().Dial(accepted.ids(0), Within(wait));
    EXPECT_TRUE(channel.ok()) << wait << ": " << channel.status();
  }
  auto client = LaunchBrokerPlugin();
  ASSERT_NE(client, nullptr);
  for (const absl::Duration wait : kPassedOnes) {
    SCOPED_TRACE(wait);
    const std::uint32_t id = client->broker().NextId();
    EXPECT_LT(Least([&] {
                ExpectError(client->broker().Dial(id, Within(wait)).status(),
                            {Reason::kBrokerTimeout, "announced no brokered",
                             "DialOptions::timeout"});
              }),
              kAtOnce);
    // Announced or, on a slow day, on its way: no time for either.
    const broker::Outcome accepted = PluginAccepts(*client, 1);
    ASSERT_EQ(accepted.ids_size(), 1);
    ExpectError(client->broker().Dial(accepted.ids(0), Within(wait)).status(),
                {Reason::kBrokerTimeout, "", "DialOptions::timeout"});
  }
}

TEST_F(DurationsTest, GraceOfABrokeredServer) {
  auto client = LaunchBrokerPlugin();
  ASSERT_NE(client, nullptr);
  AdderService adder;
  for (const absl::Duration wait : kLongOnes) {
    AcceptOptions options;
    options.shutdown_grace = wait;
    const std::uint32_t id = client->broker().NextId();
    auto server = client->broker().AcceptAndServe(id, {&adder}, options);
    ASSERT_TRUE(server.ok()) << wait << ": " << server.status();
    // Ends without calls: at once.
  }
  AcceptOptions negative;
  negative.shutdown_grace = absl::Seconds(-1);
  ExpectError(client->broker().AcceptAndServe(1, {&adder}, negative).status(),
              {Reason::kOptions, "shutdown_grace", "InfiniteDuration"});
}

}  // namespace
}  // namespace goplugin::testing
