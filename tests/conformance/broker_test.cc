// Brokered connections between this SDK and go-plugin's own broker, in both
// roles and both directions, and go-plugin's example of them.

#include "goplugin/broker.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/conformance/go_broker.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr int kAtOnce = 64;

class GoBrokerTest : public GoBrokerPeer,
                     public ::testing::WithParamInterface<Wiring> {
 protected:
  // Has the host connect many times at once, both ways.
  void DriveOurPlugin(const Wiring& wiring) {
    const HostResult result = RunGoHost(wiring, {absl::StrCat("-n=", kAtOnce)});
    const HostReport report(result.output);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Number("/plugin_dialled"), kAtOnce);
    EXPECT_EQ(report.Number("/host_dialled"), kAtOnce);
    EXPECT_TRUE(report.Flag("/exited"));
  }
};

TEST_P(GoBrokerTest, AGoPluginDialsOurHost) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->multiplexed(), GetParam().multiplex);
  const std::uint32_t id = client->broker().NextId();
  auto server = client->broker().AcceptAndServe(id, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  const grpc::Status status = PluginDials(*client, id);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_P(GoBrokerTest, AGoPluginDialsOneServerByManyIds) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->multiplexed(), GetParam().multiplex);
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  for (std::uint32_t id = 2; id < 10; ++id) {
    ASSERT_TRUE((*server)->Announce(id).ok());
    const grpc::Status status = PluginDials(*client, id);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_P(GoBrokerTest, OurHostDialsAGoPlugin) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->multiplexed(), GetParam().multiplex);
  auto channel = client->broker().Dial(PluginAccepts(*client, 1));
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(HelperSum(*channel, 0, 42).value_or(0), 42);
}

TEST_P(GoBrokerTest, SixtyFourAtOnceBothWays) {
  auto client = LaunchGoPlugin(GetParam());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->multiplexed(), GetParam().multiplex);
  const std::uint32_t first = PluginAccepts(*client, kAtOnce);
  std::vector<std::unique_ptr<AdderService>> adders(kAtOnce);
  std::vector<std::unique_ptr<BrokerServer>> servers(kAtOnce);
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&, i] {
      DialOptions patient;
      patient.timeout = absl::Seconds(30);
      auto channel = client->broker().Dial(first + i, patient);
      ASSERT_TRUE(channel.ok()) << channel.status().message();
      EXPECT_EQ(HelperSum(*channel, i, 1).value_or(0), i + 1);
      const std::uint32_t id = client->broker().NextId();
      adders[i] = std::make_unique<AdderService>(id);
      auto server = client->broker().AcceptAndServe(id, {adders[i].get()});
      ASSERT_TRUE(server.ok()) << server.status().message();
      servers[i] = *std::move(server);
      const grpc::Status status = PluginDials(*client, id);
      EXPECT_TRUE(status.ok()) << status.error_message();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(GoBrokerTest, AGoHostWithOurPlugin) { DriveOurPlugin(GetParam()); }

TEST_P(GoBrokerTest, AGoHostWithOurPluginOverTcp) {
  Wiring wiring = GetParam();
  wiring.network = Endpoint::Network::kTcp;
  DriveOurPlugin(wiring);
}

using Network = Endpoint::Network;

INSTANTIATE_TEST_SUITE_P(
    Wired, GoBrokerTest,
    ::testing::Values(Wiring{Network::kUnix, TlsMode::kInsecure},
                      Wiring{Network::kUnix, TlsMode::kAutoMtls},
                      Wiring{Network::kUnix, TlsMode::kInsecure, true},
                      Wiring{Network::kUnix, TlsMode::kAutoMtls, true}),
    WiringName);

// go-plugin's example, each half of it against ours.
class BidirectionalTest : public PeersTest {
 protected:
  BidirectionalTest()
      : PeersTest({"hashicorp-bidirectional-host",
                   "hashicorp-bidirectional-plugin"}) {}

  HostResult Run(std::vector<std::string> argv,
                 std::vector<std::string> env = {}) {
    return RunHost(
        {std::move(argv), data(), std::move(env), ScratchPath("output")});
  }

  // 40 and 2 are put into one counter by `host`, and read.
  void CountTo42(const std::vector<std::string>& host,
                 const std::vector<std::string>& env = {}) {
    for (std::vector<std::string> words :
         {std::vector<std::string>{"put", "hello", "40"},
          {"put", "hello", "2"},
          {"get", "hello"}}) {
      words.insert(words.begin(), host.begin(), host.end());
      const HostResult result = Run(words, env);
      EXPECT_EQ(result.exit_code, 0) << result.output;
      EXPECT_EQ(result.output, words.back() == "hello" ? "42\n" : "");
    }
  }

  std::string OurHost() const {
    return RunfilePath("examples/bidirectional/host");
  }
  std::string OurPlugin() const {
    return RunfilePath("examples/bidirectional/plugin");
  }
};

TEST_F(BidirectionalTest, OurHostAndTheirPlugin) {
  CountTo42({OurHost(), PeerPath("hashicorp-bidirectional-plugin")});
}

TEST_F(BidirectionalTest, OurHostAndTheirPluginWithoutTls) {
  CountTo42(
      {OurHost(), "--insecure", PeerPath("hashicorp-bidirectional-plugin")});
}

TEST_F(BidirectionalTest, TheirHostAndOurPlugin) {
  CountTo42({PeerPath("hashicorp-bidirectional-host")},
            {"COUNTER_PLUGIN=exec " + OurPlugin()});
}

TEST_F(BidirectionalTest, OurHostAndOurPlugin) {
  CountTo42({OurHost(), OurPlugin()});
}

}  // namespace
}  // namespace goplugin::testing
