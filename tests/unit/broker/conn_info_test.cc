#include "goplugin/internal/broker/conn_info.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/harness/expect_error.h"

namespace goplugin::internal {
namespace {

using goplugin::testing::ExpectError;

wire::ConnInfo Info(const std::string& network, const std::string& address) {
  wire::ConnInfo info;
  info.set_service_id(7);
  info.set_network(network);
  info.set_address(address);
  return info;
}

TEST(ConnInfoTest, AnAnnouncementComesBackAsItWas) {
  for (const Endpoint& endpoint :
       {Endpoint{Endpoint::Network::kUnix, "/run/b/1"},
        Endpoint{Endpoint::Network::kTcp, "127.0.0.1:4711"},
        Endpoint{Endpoint::Network::kTcp, "[::1]:4711"}}) {
    const wire::ConnInfo info = AnnouncementOf(7, endpoint);
    EXPECT_EQ(info.service_id(), 7u);
    EXPECT_FALSE(IsKnock(info));
    const auto read = AnnouncedEndpoint(info);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, endpoint);
  }
}

TEST(ConnInfoTest, RefusesOtherNetworks) {
  for (const char* network : {"", "UNIX", "tcp4", "unixpacket"}) {
    ExpectError(AnnouncedEndpoint(Info(network, "/run/b/1")).status(),
                {Reason::kTransport, "brokered connection 7", "unix socket"});
  }
}

TEST(ConnInfoTest, RefusesWhatIsNoAddress) {
  ExpectError(AnnouncedEndpoint(Info("unix", "")).status(),
              {Reason::kTransport, "its address is empty", "107"});
  ExpectError(AnnouncedEndpoint(Info("tcp", "localhost:0")).status(),
              {Reason::kTransport, "not in 1..65535", "host:port"});
  ExpectError(AnnouncedEndpoint(Info("unix", std::string("/a\0b", 4))).status(),
              {Reason::kTransport, "NUL", "107"});
}

TEST(ConnInfoTest, AnErrorIsSmallWhateverCame) {
  const std::string huge(10 << 20, '\1');
  for (const wire::ConnInfo& info : {Info(huge, huge), Info("unix", huge)}) {
    const auto read = AnnouncedEndpoint(info);
    ASSERT_FALSE(read.ok());
    EXPECT_LT(read.status().ToString().size(), size_t{8} << 10);
  }
}

TEST(ConnInfoTest, AKnockAndItsAnswer) {
  const wire::ConnInfo knock = KnockAt(9);
  EXPECT_TRUE(IsKnock(knock));
  EXPECT_EQ(knock.service_id(), 9u);
  EXPECT_FALSE(knock.knock().ack());
  for (const char* error : {"", "not today"}) {
    const wire::ConnInfo answer = AnswerTo(9, error);
    EXPECT_EQ(answer.service_id(), 9u);
    EXPECT_TRUE(answer.knock().knock());
    EXPECT_TRUE(answer.knock().ack());
    EXPECT_EQ(answer.knock().error(), error);
  }
  EXPECT_FALSE(IsKnock(AnnouncementOf(9, {Endpoint::Network::kUnix, "/s"})));
}

}  // namespace
}  // namespace goplugin::internal
