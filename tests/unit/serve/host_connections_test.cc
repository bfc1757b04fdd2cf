#include "goplugin/internal/serve/host_connections.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <vector>

#include "goplugin/internal/process/unique_fd.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

// A listener of this process, and a host in another that connects to it once
// and lives until this goes.
class HostConnectionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(listener_.get(), generic, size), 0);
    ASSERT_EQ(listen(listener_.get(), 8), 0);
    ASSERT_EQ(getsockname(listener_.get(), generic, &size), 0);
    port_ = address;
  }
  void TearDown() override { EndHost(); }

  UniqueFd Connect() const {
    UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(connection.get(),
                      reinterpret_cast<const sockaddr*>(&port_), sizeof port_),
              0);
    return connection;
  }
  UniqueFd Accept() const {
    return UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void StartHost() {
    host_ = fork();
    if (host_ == 0) {
      const UniqueFd connection = Connect();
      for (;;) pause();
    }
  }
  void EndHost() {
    if (host_ <= 0) return;
    kill(host_, SIGKILL);
    waitpid(host_, nullptr, 0);
    host_ = -1;
  }
  std::size_t Count() const {
    const auto found = HostConnections(SocketName(listener_.get()));
    EXPECT_TRUE(found.has_value());
    return found.has_value() ? found->size() : 0;
  }

  UniqueFd listener_;
  sockaddr_in port_ = {};
  pid_t host_ = -1;
};

TEST_F(HostConnectionsTest, TheListenerAndOtherSocketsAreNone) {
  const UniqueFd other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(Count(), 0u);
}

TEST_F(HostConnectionsTest, IsThereUntilTheHostIsGone) {
  StartHost();
  const UniqueFd accepted = Accept();
  ASSERT_TRUE(accepted.valid());
  EXPECT_EQ(Count(), 1u);
  const auto held = HostConnections(SocketName(listener_.get()));
  ASSERT_EQ(held->size(), 1u);
  pollfd ended = {held->front().get(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&ended, 1, 0), 0);
  EndHost();
  EXPECT_EQ(poll(&ended, 1, 30'000), 1);
  EXPECT_EQ(Count(), 0u);
}

TEST_F(HostConnectionsTest, OnesThatThisSideHasEndedAreNone) {
  StartHost();
  const UniqueFd accepted = Accept();
  ASSERT_EQ(shutdown(accepted.get(), SHUT_RDWR), 0);
  EXPECT_EQ(Count(), 0u);
}

// Without descriptors it is not known, which is not none.
TEST_F(HostConnectionsTest, CantBeAskedWithoutDescriptors) {
  StartHost();
  const UniqueFd accepted = Accept();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool known = HostConnections(SocketName(listener_.get())).has_value();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(known);
}

// A unix socket tells whose the connection is.
TEST(HostConnectionsOverUnixTest, APluginIsNotItsOwnHost) {
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The kernel chooses an abstract name.
  sockaddr address = {};
  address.sa_family = AF_UNIX;
  ASSERT_EQ(bind(listener.get(), &address, sizeof(sa_family_t)), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const std::string name = SocketName(listener.get());
  const UniqueFd self(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(self.get(), reinterpret_cast<const sockaddr*>(name.data()),
                    static_cast<socklen_t>(name.size())),
            0);
  const UniqueFd accepted(
      accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted.valid());
  EXPECT_EQ(SocketName(accepted.get()), name);
  EXPECT_TRUE(HostConnections(name)->empty());
}

}  // namespace
}  // namespace goplugin::internal
