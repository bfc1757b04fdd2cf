#include "goplugin/internal/serve/port_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/process/unique_fd.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(WalkPorts, TakesTheFirstThatBinds) {
  std::vector<int> tried;
  absl::StatusOr<int> port =
      WalkPorts(10, 20, [&](int p) -> absl::StatusOr<int> {
        tried.push_back(p);
        return p < 13 ? 0 : p;
      });
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_EQ(*port, 13);
  EXPECT_THAT(tried, ElementsAre(10, 11, 12, 13));
}

TEST(WalkPorts, HandsOnThePortThatPortZeroBecame) {
  absl::StatusOr<int> port = WalkPorts(
      0, 0, [](int p) -> absl::StatusOr<int> { return p == 0 ? 41234 : 0; });
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_EQ(*port, 41234);
}

TEST(WalkPorts, NamesTheRangeWhenAllAreTaken) {
  std::vector<int> tried;
  absl::StatusOr<int> port = WalkPorts(10, 12, [&](int p) {
    tried.push_back(p);
    return absl::StatusOr<int>(0);
  });
  EXPECT_THAT(tried, ElementsAre(10, 11, 12));
  absl::optional<ErrorDetails> details = GetErrorDetails(port.status());
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->reason, Reason::kTransport);
  EXPECT_THAT(details->what, HasSubstr("from 10 to 12"));
  EXPECT_THAT(details->hint, HasSubstr("PLUGIN_MAX_PORT"));
}

TEST(WalkPorts, StopsAtAnErrorThatNoOtherPortMends) {
  int calls = 0;
  absl::StatusOr<int> port = WalkPorts(10, 20, [&](int) {
    ++calls;
    return absl::StatusOr<int>(absl::DataLossError("broken"));
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(port.status(), absl::DataLossError("broken"));
}

TEST(BindPort, LeavesAListenersPortToIt) {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), generic, size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), generic, &size), 0);
  EXPECT_FALSE(BindPort(ntohs(address.sin_port)).valid());
  EXPECT_TRUE(BindPort(0).valid());
}

}  // namespace
}  // namespace goplugin::internal
