// Ten thousand brokered connections, and nothing of them left on either side.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::testing {
namespace {

// Sanitizers keep freed memory on purpose.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCountMemory = false;
#else
constexpr bool kCountMemory = true;
#endif

// One round: this many dials in each direction.
constexpr std::uint32_t kRound = 100;
constexpr int kRounds = 50;
// gRPC's own pools of threads breathe.
constexpr std::int64_t kThreadsMore = 8;
constexpr std::int64_t kKilobytesMore = 4096;

class BrokerLeakTest : public HarnessTest,
                       public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    Wiring wiring;
    wiring.multiplex = GetParam();
    client_ = LaunchBrokerPlugin(wiring);
    ASSERT_NE(client_, nullptr);
  }
  void TearDown() override {
    EXPECT_EQ(client_->Shutdown(), absl::OkStatus());
    client_.reset();
    HarnessTest::TearDown();
  }

  // Each dial makes a connection of its own: the one before is gone.
  void DialMany(bool shared) {
    const broker::Outcome accepted = PluginAccepts(*client_, kRound, shared);
    for (std::uint32_t id : accepted.ids()) {
      auto channel = client_->broker().Dial(id);
      ASSERT_TRUE(channel.ok()) << channel.status().message();
      ASSERT_EQ(Sum(*channel, 1, 2).value_or(0), 3);
    }
    PluginStops(*client_);
  }

  void AcceptMany(bool shared) {
    std::vector<std::unique_ptr<BrokerServer>> servers;
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < kRound; ++i) {
      ids.push_back(client_->broker().NextId());
      if (shared && i > 0) {
        ASSERT_TRUE(servers.back()->Announce(ids.back()).ok());
        continue;
      }
      auto server = client_->broker().AcceptAndServe(ids.back(), {&adder_});
      ASSERT_TRUE(server.ok()) << server.status().message();
      servers.push_back(*std::move(server));
    }
    const broker::Outcome dialled = PluginDials(*client_, ids, 1, 2);
    ASSERT_EQ(dialled.sums_size(), int{kRound}) << dialled.message();
  }

  std::int64_t Sockets() const {
    return std::distance(std::filesystem::recursive_directory_iterator(temp()),
                         std::filesystem::recursive_directory_iterator());
  }

  void ExpectNoMore(const broker::FactsResponse& before,
                    const std::function<broker::FactsResponse()>& now,
                    const char* who) {
    EXPECT_TRUE(Eventually([&] {
      return now().descriptors() <= before.descriptors();
    })) << who
        << ": " << before.descriptors() << " descriptors grew to "
        << now().descriptors();
    const broker::FactsResponse after = now();
    EXPECT_LE(after.threads(), before.threads() + kThreadsMore) << who;
    if (kCountMemory) {
      EXPECT_LE(after.rss_kb(), before.rss_kb() + kKilobytesMore) << who;
    }
    std::printf("%s: %s -> %s\n", who, before.ShortDebugString().c_str(),
                after.ShortDebugString().c_str());
  }

  void Run(int rounds, bool shared) {
    for (int i = 0; i < rounds; ++i) {
      DialMany(shared);
      AcceptMany(shared);
      if (HasFatalFailure()) return;
    }
  }

  void ExpectNoGrowth(int warm_up, int rounds, bool shared) {
    Run(warm_up, shared);
    ASSERT_FALSE(HasFatalFailure());
    const broker::FactsResponse ours = OwnFacts();
    const broker::FactsResponse theirs = PluginFacts(*client_);
    const std::int64_t sockets = Sockets();
    Run(rounds, shared);
    ASSERT_FALSE(HasFatalFailure());
    ExpectNoMore(ours, OwnFacts, "host");
    ExpectNoMore(
        theirs, [this] { return PluginFacts(*client_); }, "plugin");
    EXPECT_EQ(Sockets(), sockets);
  }

  AdderService adder_;
  std::unique_ptr<Client> client_;
};

TEST_P(BrokerLeakTest, TenThousandDials) {
  ExpectNoGrowth(/*warm_up=*/10, kRounds, /*shared=*/true);
}

TEST_P(BrokerLeakTest, TwoThousandServers) {
  ExpectNoGrowth(/*warm_up=*/4, kRounds / 5, /*shared=*/false);
}

INSTANTIATE_TEST_SUITE_P(Wired, BrokerLeakTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "Multiplexed" : "Alone";
                         });

}  // namespace
}  // namespace goplugin::testing
