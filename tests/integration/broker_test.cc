// Brokered connections between this SDK's host and this SDK's plugin, in both
// directions, over every kind of main connection.

#include "goplugin/broker.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::testing {
namespace {

using ::testing::Values;
using Network = Endpoint::Network;

// For what must not come.
constexpr absl::Duration kShort = absl::Milliseconds(100);

class BrokerTest : public HarnessTest {
 protected:
  AdderService adder_;
};

class WiredBrokerTest : public BrokerTest,
                        public ::testing::WithParamInterface<Wiring> {
 protected:
  void SetUp() override {
    BrokerTest::SetUp();
    client_ = LaunchBrokerPlugin(GetParam());
    ASSERT_NE(client_, nullptr);
  }
  void TearDown() override {
    if (client_ != nullptr) {
      EXPECT_EQ(client_->Shutdown(), absl::OkStatus());
      client_.reset();
    }
    BrokerTest::TearDown();
  }

  // Multiplexed, it is the SDK alone that connects to a server's socket.
  static Network ServedOn() {
    return GetParam().multiplex ? Network::kUnix : GetParam().network;
  }

  std::unique_ptr<Client> client_;
};

TEST_P(WiredBrokerTest, TheHostDials) {
  const broker::Outcome accepted = PluginAccepts(*client_, 1);
  ASSERT_EQ(accepted.ids_size(), 1) << accepted.message();
  EXPECT_TRUE(absl::StartsWith(accepted.endpoint(),
                               absl::StrCat(NetworkName(ServedOn()), ":")))
      << accepted.endpoint();
  auto channel = client_->broker().Dial(accepted.ids(0));
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(Sum(*channel, 20, 22).value_or(0), 42);
}

TEST_P(WiredBrokerTest, ThePluginDials) {
  const std::uint32_t id = client_->broker().NextId();
  auto server = client_->broker().AcceptAndServe(id, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  EXPECT_EQ((*server)->endpoint().network, ServedOn());
  const broker::Outcome dialled = PluginDials(*client_, {id}, 20, 22);
  ASSERT_EQ(dialled.sums_size(), 1) << dialled.message();
  EXPECT_EQ(dialled.sums(0), 42);
}

TEST_P(WiredBrokerTest, BothWaysWithTheSameNumbers) {
  auto server = client_->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  ASSERT_EQ(PluginAccepts(*client_, 1).ids(0), 1u);
  auto channel = client_->broker().Dial(1);
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(Sum(*channel, 1, 2).value_or(0), 3);
  EXPECT_EQ(PluginDials(*client_, {1}, 3, 4).sums(0), 7);
}

TEST_P(WiredBrokerTest, SixtyFourAtOnce) {
  constexpr int kCount = 64;
  const broker::Outcome accepted = PluginAccepts(*client_, kCount);
  ASSERT_EQ(accepted.ids_size(), kCount) << accepted.message();
  std::vector<std::unique_ptr<AdderService>> adders;
  std::vector<std::unique_ptr<BrokerServer>> servers;
  for (int i = 0; i < kCount; ++i) {
    adders.push_back(std::make_unique<AdderService>(i));
    auto server = client_->broker().AcceptAndServe(client_->broker().NextId(),
                                                   {adders.back().get()});
    ASSERT_TRUE(server.ok()) << server.status().message();
    servers.push_back(*std::move(server));
  }
  absl::Mutex mutex;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCount; ++i) {
    threads.emplace_back([&, i] {
      auto channel =
          client_->broker().Dial(accepted.ids(i), Within(absl::Seconds(30)));
      ASSERT_TRUE(channel.ok()) << channel.status().message();
      EXPECT_EQ(Sum(*channel, i, 1).value_or(0), i + 1);
      const broker::Outcome dialled = PluginDials(
          *client_, {static_cast<std::uint32_t>(i + 1)}, i, 2, 30000);
      EXPECT_EQ(dialled.sums_size(), 1) << dialled.message();
      internal::MutexLock lock(mutex);
      channels.push_back(*channel);
    });
  }
  for (std::thread& thread : threads) thread.join();
  // All at the same time.
  ASSERT_EQ(channels.size(), size_t{kCount});
  for (const auto& channel : channels) {
    EXPECT_EQ(Sum(channel, 1, 1).value_or(0), 2);
  }
}

TEST_P(WiredBrokerTest, OneServerForManyIds) {
  auto server = client_->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  for (std::uint32_t id = 2; id <= 5; ++id) {
    EXPECT_TRUE((*server)->Announce(id).ok());
  }
  const broker::Outcome dialled = PluginDials(*client_, {1, 2, 3, 4, 5}, 1, 2);
  EXPECT_EQ(dialled.sums_size(), 5) << dialled.message();
}

INSTANTIATE_TEST_SUITE_P(
    Wired, WiredBrokerTest,
    Values(Wiring{Network::kUnix, TlsMode::kInsecure},
           Wiring{Network::kUnix, TlsMode::kAutoMtls},
           Wiring{Network::kUnix, TlsMode::kManual},
           Wiring{Network::kTcp, TlsMode::kInsecure},
           Wiring{Network::kTcp, TlsMode::kAutoMtls},
           Wiring{Network::kTcp, TlsMode::kManual},
           Wiring{Network::kUnix, TlsMode::kInsecure, true},
           Wiring{Network::kUnix, TlsMode::kAutoMtls, true},
           Wiring{Network::kUnix, TlsMode::kManual, true},
           Wiring{Network::kTcp, TlsMode::kInsecure, true},
           Wiring{Network::kTcp, TlsMode::kAutoMtls, true}),
    WiringName);

TEST_F(BrokerTest, IdsCountFromOne) {
  auto client = LaunchBrokerPlugin();
  EXPECT_EQ(client->broker().NextId(), 1u);
  EXPECT_EQ(client->broker().NextId(), 2u);
}

TEST_F(BrokerTest, IdsOfOneUnixServerShareAConnection) {
  auto client = LaunchBrokerPlugin();
  const broker::Outcome accepted = PluginAccepts(*client, 3, /*shared=*/true);
  auto first = client->broker().Dial(accepted.ids(0));
  auto second = client->broker().Dial(accepted.ids(1));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  DialOptions special;
  special.arguments.SetInt("goplugin.test", 1);
  auto third = client->broker().Dial(accepted.ids(2), special);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(*first, *third);
  EXPECT_EQ(Sum(*third, 1, 1).value_or(0), 2);
}

TEST_F(BrokerTest, ADialWaitsForItsAnnouncement) {
  auto client = LaunchBrokerPlugin();
  std::thread dialler([&] {
    auto channel = client->broker().Dial(77, Within(absl::Seconds(20)));
    ASSERT_TRUE(channel.ok()) << channel.status().message();
    EXPECT_EQ(Sum(*channel, 1, 1).value_or(0), 2);
  });
  EXPECT_EQ(PluginAccepts(*client, 1, false, 77).message(), "");
  dialler.join();
}

TEST_F(BrokerTest, AnAnnouncementWaitsForItsDial) {
  auto client = LaunchBrokerPlugin();
  auto server = client->broker().AcceptAndServe(7, {&adder_});
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(PluginDials(*client, {7}, 1, 1).sums_size(), 1);
}

TEST_F(BrokerTest, AnIdIsDialledOnce) {
  auto client = LaunchBrokerPlugin();
  const std::uint32_t id = PluginAccepts(*client, 1).ids(0);
  ASSERT_TRUE(client->broker().Dial(id).ok());
  auto again = client->broker().Dial(id, Within(kShort));
  ExpectError(again.status(),
              {Reason::kBrokerTimeout, "waited ", "an id can be dialled once"});
}

TEST_F(BrokerTest, AnIdIsServedOnceAtATime) {
  auto client = LaunchBrokerPlugin();
  auto server = client->broker().AcceptAndServe(5, {&adder_});
  ASSERT_TRUE(server.ok());
  auto again = client->broker().AcceptAndServe(5, {&adder_});
  ExpectError(again.status(),
              {Reason::kOptions, "5 is served already", "NextId"});
  server->reset();
  EXPECT_TRUE(client->broker().AcceptAndServe(5, {&adder_}).ok());
}

TEST_F(BrokerTest, AServerOfTheCallersOwn) {
  auto client = LaunchBrokerPlugin({Network::kUnix, TlsMode::kAutoMtls});
  auto listener = client->broker().Listen();
  ASSERT_TRUE(listener.ok()) << listener.status().message();
  ExpectError((*listener)->Announce(9),
              {Reason::kOptions, "does not listen", "BuildAndStart"});
  grpc::ServerBuilder builder;
  (*listener)->AddTo(builder);
  builder.RegisterService(&adder_);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE((*listener)->Announce(9).ok());
  EXPECT_EQ(PluginDials(*client, {9}, 40, 2).sums(0), 42);
  server->Shutdown();
}

TEST_F(BrokerTest, SocketsArePrivateAndGoWithTheirServer) {
  auto client = LaunchBrokerPlugin();
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok());
  const std::filesystem::path path = (*server)->endpoint().address;
  // Beside the plugin's own directory, in one that is ours alone.
  EXPECT_EQ(path.parent_path().parent_path(),
            std::filesystem::path(client->endpoint().address)
                .parent_path()
                .parent_path());
  using std::filesystem::perms;
  const auto mode = [](const std::filesystem::path& file) {
    return std::filesystem::status(file).permissions() & perms::mask;
  };
  EXPECT_EQ(mode(path), perms::owner_read | perms::owner_write);
  EXPECT_EQ(mode(path.parent_path()), perms::owner_all);
  server->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

// As logind does at logout, for host and plugin.
TEST_F(BrokerTest, WorksOnAfterItsDirectoryWasRemoved) {
  const std::string runtime = ScratchPath("runtime");
  std::filesystem::create_directory(runtime);
  setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
  auto client = LaunchBrokerPlugin();
  ASSERT_TRUE(absl::StartsWith(client->endpoint().address, runtime));
  std::filesystem::remove_all(runtime);
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(absl::StartsWith((*server)->endpoint().address, temp()));
  const broker::Outcome dialled = PluginDials(*client, {1}, 20, 22);
  EXPECT_EQ(dialled.sums_size(), 1) << dialled.message();
  auto channel = client->broker().Dial(PluginAccepts(*client, 1).ids(0));
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_EQ(Sum(*channel, 20, 22).value_or(0), 42);
}

TEST_F(BrokerTest, AServerMayOutliveItsClient) {
  auto client = LaunchBrokerPlugin();
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok());
  const std::string path = (*server)->endpoint().address;
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path));
  ExpectError((*server)->Announce(2),
              {Reason::kShutDown, "the client was shut down", ""});
  client.reset();
}

TEST_F(BrokerTest, AServerWithIdleConnectionsStopsAtOnce) {
  auto client = LaunchBrokerPlugin();
  const std::uint32_t id = PluginAccepts(*client, 1).ids(0);
  auto channel = client->broker().Dial(id);
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ(Sum(*channel, 1, 1).value_or(0), 2);
  PluginStops(*client);
  EXPECT_FALSE(Sum(*channel, 1, 1).ok());
}

TEST_F(BrokerTest, CallsUnderWayEndWithTheServer) {
  auto client = LaunchBrokerPlugin();
  const std::uint32_t id = PluginAccepts(*client, 1).ids(0);
  auto channel = client->broker().Dial(id);
  ASSERT_TRUE(channel.ok());
  grpc::ClientContext context;
  broker::SumRequest request;
  broker::SumResponse response;
  std::thread caller([&] {
    EXPECT_FALSE(broker::Adder::NewStub(*channel)
                     ->Hold(&context, request, &response)
                     .ok());
  });
  // Order does not matter: a call that comes too late fails as well.
  PluginStops(*client);
  caller.join();
}

}  // namespace
}  // namespace goplugin::testing
