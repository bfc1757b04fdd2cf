#include "goplugin/internal/net/reach.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/net/socket_address.h"
#include "goplugin/internal/process/unique_fd.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::internal {
namespace {

using goplugin::testing::ExpectError;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd Bind(const std::string& path) {
  UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof address),
            0)
      << path;
  return listener;
}

UniqueFd Listen(const std::string& path) {
  UniqueFd listener = Bind(path);
  EXPECT_EQ(listen(listener.get(), 8), 0);
  return listener;
}

bool Connects(const std::string& path) {
  const UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(path);
  return connect(connection.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) == 0;
}

class ReachTest : public goplugin::testing::HarnessTest {
 protected:
  Endpoint At(const std::string& name) const {
    return {Endpoint::Network::kUnix, absl::StrCat(temp(), "/", name)};
  }
  void TearDown() override {
    for (const auto& entry : std::filesystem::directory_iterator(temp())) {
      std::filesystem::remove(entry.path());
    }
    HarnessTest::TearDown();
  }

  PeerRule own_ = [] {
    PeerRule rule;
    rule.user = geteuid();
    rule.loopback_only = true;
    return rule;
  }();
};

TEST_F(ReachTest, TheWayStaysWhatItWas) {
  const Endpoint endpoint = At("socket");
  const UniqueFd listener = Listen(endpoint.address);
  const auto way = FindWay(endpoint, own_);
  ASSERT_TRUE(way.ok()) << way.status();
  // Somebody puts another socket there, where nobody listens.
  std::filesystem::rename(endpoint.address, endpoint.address + ".old");
  const UniqueFd other = Bind(endpoint.address);
  EXPECT_FALSE(Connects(endpoint.address));
  EXPECT_TRUE(Connects((*way)->endpoint().address));
}

TEST_F(ReachTest, ALinkToOnesOwnIsNoHarm) {
  const Endpoint endpoint = At("socket");
  const UniqueFd listener = Listen(endpoint.address);
  std::filesystem::create_symlink(endpoint.address, At("link").address);
  EXPECT_TRUE(FindWay(At("link"), own_).ok());
}

TEST_F(ReachTest, SomebodyElseIsRefusedUnlessItIsThatProcess) {
  const Endpoint endpoint = At("socket");
  const UniqueFd listener = Listen(endpoint.address);
  PeerRule others;
  others.user = geteuid() + 1;
  ExpectError(FindWay(endpoint, others).status(),
              {Reason::kTransport, "listens there, and the plugin runs as user",
               "nothing was sent there"});
  others.process = getpid();
  EXPECT_TRUE(FindWay(endpoint, others).ok());
}

TEST_F(ReachTest, WhoIsAskedLaterIsPinnedAllTheSame) {
  const Endpoint endpoint = At("socket");
  const UniqueFd listener = Listen(endpoint.address);
  PeerRule others;
  others.user = geteuid() + 1;
  const auto way = FindWay(endpoint, others, Look::kAtItsUse);
  ASSERT_TRUE(way.ok()) << way.status();
  UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf((*way)->endpoint().address);
  ASSERT_EQ(
      connect(connection.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof address),
      0);
  EXPECT_FALSE(CheckPeer(connection.get(), endpoint, others).ok());
  EXPECT_TRUE(CheckPeer(connection.get(), endpoint, own_).ok());
}

TEST_F(ReachTest, NobodyThereMayStillCome) {
  const absl::Status missing = FindWay(At("none"), own_).status();
  ExpectError(missing, {Reason::kConnect, "No such file", "socket is gone"});
  EXPECT_TRUE(MayStillCome(missing));
  // One's own is not knocked at: whoever connects to it sees.
  const UniqueFd bound = Bind(At("bound").address);
  EXPECT_TRUE(FindWay(At("bound"), own_).ok());
}

TEST_F(ReachTest, WhatNeverBecomesASocket) {
  const absl::Status directory =
      FindWay({Endpoint::Network::kUnix, temp()}, own_).status();
  ExpectError(directory, {Reason::kTransport, "no socket is there", "path of"});
  EXPECT_FALSE(MayStillCome(directory));
  ExpectError(FindWay({Endpoint::Network::kUnix, "plugin.sock"}, own_).status(),
              {Reason::kTransport, "relative", "absolute path"});
}

// As sudo, setpriv and gosu leave it to a host of an ordinary user.
TEST_F(ReachTest, ASocketOfAnotherUserNamesOwnerModeAndTheWayOut) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  char pattern[] = "/tmp/reachXXXXXX";
  ASSERT_NE(mkdtemp(pattern), nullptr);
  const std::string directory = pattern;
  ASSERT_EQ(chmod(directory.c_str(), 0755), 0);
  const Endpoint endpoint{Endpoint::Network::kUnix, directory + "/socket"};
  const UniqueFd listener = Listen(endpoint.address);
  ASSERT_EQ(chmod(endpoint.address.c_str(), 0755), 0);
  constexpr uid_t kNobody = 65534;
  PeerRule nobodys;
  nobodys.user = kNobody;
  ASSERT_EQ(seteuid(kNobody), 0);
  const absl::Status closed = FindWay(endpoint, nobodys).status();
  ASSERT_EQ(seteuid(0), 0);
  ExpectError(closed, {Reason::kTransport, "mode 0755, owner 0:0",
                       "Command::user, or let both use the group"});
  EXPECT_FALSE(MayStillCome(closed));
  ASSERT_EQ(chmod(directory.c_str(), 0700), 0);
  ASSERT_EQ(seteuid(kNobody), 0);
  const absl::Status hidden = FindWay(endpoint, nobodys).status();
  ASSERT_EQ(seteuid(0), 0);
  ExpectError(hidden, {Reason::kTransport, "mode 0700, owner 0:0",
                       "search permission on the directories"});
  std::filesystem::remove_all(directory);
}

TEST_F(ReachTest, AnAbstractSocketIsAsked) {
  const std::string name = absl::StrCat("reach_test.", getpid());
  const Endpoint endpoint{Endpoint::Network::kUnix,
                          absl::StrCat(absl::string_view("\0", 1), name)};
  EXPECT_TRUE(IsAbstract(endpoint));
  const absl::Status missing = FindWay(endpoint, own_).status();
  ExpectError(missing, {Reason::kConnect, "refused", "nobody listens"});
  EXPECT_TRUE(MayStillCome(missing));
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto addresses = SocketAddresses(endpoint);
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  ASSERT_EQ(
      bind(listener.get(), addresses->front().get(), addresses->front().length),
      0);
  ASSERT_EQ(listen(listener.get(), 8), 0);
  const auto way = FindWay(endpoint, own_);
  ASSERT_TRUE(way.ok()) << way.status();
  EXPECT_EQ((*way)->endpoint(), endpoint);
  PeerRule others;
  others.user = geteuid() + 1;
  ExpectError(FindWay(endpoint, others).status(),
              {Reason::kTransport, "and the plugin runs as user",
               "nothing was sent there"});
}

TEST_F(ReachTest, TcpIsOfThisMachine) {
  for (const char* here :
       {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "0.0.0.0:1",
        "[::]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(FindWay({Endpoint::Network::kTcp, here}, own_).ok()) << here;
  }
  PeerRule anywhere = own_;
  anywhere.loopback_only = false;
  for (const char* elsewhere :
       {"192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1",
        "plugin.example:1", "127.0.0.1.example:1", "LOCALHOST.example:1"}) {
    const Endpoint endpoint{Endpoint::Network::kTcp, elsewhere};
    ExpectError(
        FindWay(endpoint, own_).status(),
        {Reason::kTransport, "not a loopback address", "allow_remote_tcp"});
    EXPECT_TRUE(FindWay(endpoint, anywhere).ok()) << elsewhere;
  }
}

TEST_F(ReachTest, TheCallersOwnWordIsNotLookedAt) {
  const Endpoint missing = At("none");
  const auto way = FindWay(missing, PeerRule());
  ASSERT_TRUE(way.ok()) << way.status();
  EXPECT_EQ((*way)->endpoint(), missing);
}

}  // namespace
}  // namespace goplugin::internal
