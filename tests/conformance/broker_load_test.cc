// Brokered connections between this SDK and go-plugin's own broker: very many
// of them, and much data beside small calls.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "tests/conformance/go_broker.h"
#include "tests/conformance/run_host.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/broker/bulk.h"

namespace goplugin::testing {
namespace {

using Network = Endpoint::Network;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFewDials = 500;
constexpr int kMebibytes = 64;
#else
constexpr int kFewDials = 1200;
constexpr int kMebibytes = 1024;
#endif
// Servers at a time.
constexpr int kRound = 100;

// In each direction; a multiple of kRound. What goes wrong one time in
// thousands needs more of them than every run has the time for:
// --test_env=LOAD_DIALS=5000.
int Dials() {
  const char* wanted = std::getenv("LOAD_DIALS");
  int dials = 0;
  return wanted != nullptr && absl::SimpleAtoi(wanted, &dials) ? dials
                                                               : kFewDials;
}

class GoBrokerLoadTest : public GoBrokerPeer,
                         public ::testing::WithParamInterface<Wiring> {
 protected:
  // Each makes a connection of its own: the one before is gone.
  void DialMany(Client& client) {
    const std::uint32_t first = PluginAccepts(client, kRound);
    for (int i = 0; i < kRound; ++i) {
      auto channel = client.broker().Dial(first + i);
      ASSERT_TRUE(channel.ok()) << channel.status().message();
      ASSERT_EQ(HelperSum(*channel, i, 1).value_or(0), i + 1);
    }
    PluginStops(client);
  }

  void AcceptMany(Client& client) {
    for (int i = 0; i < kRound; ++i) {
      const std::uint32_t id = client.broker().NextId();
      auto server = client.broker().AcceptAndServe(id, {&adder_});
      ASSERT_TRUE(server.ok()) << server.status().message();
      const grpc::Status status = PluginDials(client, id);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
  }
};

TEST_P(GoBrokerLoadTest, ManyDialsWithAGoPlugin) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  const absl::Time begin = absl::Now();
  for (int done = 0; done < Dials(); done += kRound) {
    ASSERT_NO_FATAL_FAILURE(DialMany(*client)) << "after " << done;
    ASSERT_NO_FATAL_FAILURE(AcceptMany(*client)) << "after " << done;
  }
  std::printf("%d dials in each direction: %s\n", Dials(),
              absl::FormatDuration(absl::Now() - begin).c_str());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(client->exit_status()->success());
}

TEST_P(GoBrokerLoadTest, ManyDialsWithAGoHost) {
  const HostResult result =
      RunGoHost(GetParam(), {absl::StrCat("-dials=", Dials())});
  const HostReport report(result.output);
  EXPECT_TRUE(report.Flag("/ok")) << result.output;
  EXPECT_EQ(report.Number("/plugin_dialled"), Dials());
  EXPECT_EQ(report.Number("/host_dialled"), Dials());
  EXPECT_TRUE(report.Flag("/exited"));
  std::printf("%s", result.output.c_str());
}

TEST_P(GoBrokerLoadTest, BulkBesideSmallCallsWithAGoPlugin) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  auto small = client->broker().Dial(PluginAccepts(*client, 1, "accept"));
  ASSERT_TRUE(small.ok()) << small.status().message();
  const absl::StatusOr<BulkResult> result =
      MoveBulk(client->channel(), *small, kMebibytes);
  ASSERT_TRUE(result.ok()) << result.status();
  std::printf("%s\n", ToString(*result).c_str());
  EXPECT_EQ(result->put_bytes, std::int64_t{kMebibytes} << 20);
  EXPECT_EQ(result->got_bytes, std::int64_t{kMebibytes} << 20);
  EXPECT_GT(result->small_calls, 1);
}

TEST_P(GoBrokerLoadTest, BulkBesideSmallCallsWithAGoHost) {
  const HostResult result =
      RunGoHost(GetParam(), {absl::StrCat("-bulk=", kMebibytes)});
  const HostReport report(result.output);
  EXPECT_TRUE(report.Flag("/ok")) << result.output;
  EXPECT_EQ(report.Number("/bulk/put_mib"), kMebibytes);
  EXPECT_EQ(report.Number("/bulk/got_mib"), kMebibytes);
  EXPECT_GT(report.Number("/bulk/small_calls"), 1);
  EXPECT_TRUE(report.Flag("/exited"));
  std::printf("%s", result.output.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    Wired, GoBrokerLoadTest,
    ::testing::Values(Wiring{Network::kUnix, TlsMode::kInsecure, true},
                      Wiring{Network::kUnix, TlsMode::kAutoMtls, true}),
    WiringName);

}  // namespace
}  // namespace goplugin::testing
