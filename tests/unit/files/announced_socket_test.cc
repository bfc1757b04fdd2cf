#include "goplugin/internal/files/announced_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class AnnouncedSocketTest : public FilesTest {
 protected:
  std::string SocketPath() const { return directory() + "/plugin.sock"; }
  // This user's plugin, as old as can be.
  static SocketOwner Owner() {
    SocketOwner owner;
    owner.uid = geteuid();
    owner.since_ns = 1;
    return owner;
  }
  // Finds it, and what is left when it is to be removed.
  std::string LeftoverOf(const SocketOwner& owner) {
    const absl::optional<AnnouncedSocket> found =
        AnnouncedSocket::Find(SocketPath());
    if (!found.has_value()) return "not found";
    return found->RemoveIfProved(owner);
  }
};

TEST_F(AnnouncedSocketTest, SocketLeftBehindIsRemoved) {
  BindAt(SocketPath(), false);
  const absl::optional<AnnouncedSocket> found =
      AnnouncedSocket::Find(SocketPath());
  ASSERT_TRUE(found.has_value());
  // A change of mode, which plugins make after bind, makes no other socket.
  EXPECT_EQ(chmod(SocketPath().c_str(), 0600), 0);
  EXPECT_EQ(found->RemoveIfProved(Owner()), "");
  EXPECT_FALSE(Exists(SocketPath()));
  EXPECT_EQ(found->RemoveIfProved(Owner()), "");  // gone: nothing to do
}

TEST_F(AnnouncedSocketTest, LaterSocketOfTheSameNameStays) {
  BindAt(SocketPath(), false);
  const absl::optional<AnnouncedSocket> found =
      AnnouncedSocket::Find(SocketPath());
  ASSERT_TRUE(found.has_value());
  // Kept under another name, so that its inode is not free to be used again.
  ASSERT_EQ(rename(SocketPath().c_str(), (directory() + "/old").c_str()), 0);
  BindAt(SocketPath(), false);
  EXPECT_EQ(found->RemoveIfProved(Owner()), "");
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, FileInTheSocketsPlaceStays) {
  BindAt(SocketPath(), false);
  const absl::optional<AnnouncedSocket> found =
      AnnouncedSocket::Find(SocketPath());
  ASSERT_TRUE(found.has_value());
  unlink(SocketPath().c_str());
  WriteFile("plugin.sock", "precious");
  EXPECT_EQ(found->RemoveIfProved(Owner()), "");
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, OnlySocketsAreFound) {
  EXPECT_FALSE(AnnouncedSocket::Find("").has_value());
  EXPECT_FALSE(AnnouncedSocket::Find("relative").has_value());
  EXPECT_FALSE(AnnouncedSocket::Find(directory() + "/").has_value());
  EXPECT_FALSE(AnnouncedSocket::Find(directory() + "/absent").has_value());
  EXPECT_FALSE(AnnouncedSocket::Find("/absent/absent").has_value());
  EXPECT_FALSE(AnnouncedSocket::Find(directory()).has_value());
  EXPECT_FALSE(AnnouncedSocket::Find(WriteFile("file", "")).has_value());
  BindAt(SocketPath(), false);
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink(SocketPath().c_str(), link.c_str()), 0);
  EXPECT_FALSE(AnnouncedSocket::Find(link).has_value());
}

TEST_F(AnnouncedSocketTest, SomebodyListens) {
  const UniqueFd listener = BindAt(SocketPath(), true);
  EXPECT_THAT(LeftoverOf(Owner()), HasSubstr("does not refuse connections"));
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, ListenerWithAFullQueueStays) {
  const UniqueFd listener = BindAt(SocketPath(), false);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  const Directory base = Base();
  for (int i = 0; i < 3; ++i) AskSocket(base, "plugin.sock");
  EXPECT_THAT(LeftoverOf(Owner()), HasSubstr("does not refuse connections"));
}

TEST_F(AnnouncedSocketTest, SocketOfAnotherUserStays) {
  BindAt(SocketPath(), false);
  SocketOwner owner = Owner();
  owner.uid = kUid;
  const std::string leftover = LeftoverOf(owner);
  EXPECT_THAT(leftover, HasSubstr("plugin ran as 54321"));
  EXPECT_THAT(leftover, HasSubstr(SocketPath()));
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, SocketThatIsNotYoungerThanThePluginStays) {
  BindAt(SocketPath(), false);
  const absl::optional<FileIdentity> identity =
      IdentifyAt(Base().fd(), "plugin.sock");
  ASSERT_TRUE(identity.has_value());
  SocketOwner owner = Owner();
  owner.since_ns = identity->stamp_ns;
  EXPECT_THAT(LeftoverOf(owner), HasSubstr("not younger"));
  owner.since_ns = absl::nullopt;
  EXPECT_THAT(LeftoverOf(owner), HasSubstr("has not started the plugin"));
  owner.since_ns = identity->stamp_ns - 1;
  EXPECT_EQ(LeftoverOf(owner), "");
  EXPECT_FALSE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, SocketWhereOthersMayReplaceItStays) {
  BindAt(SocketPath(), false);
  ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
  EXPECT_THAT(LeftoverOf(Owner()), HasSubstr("other users may replace"));
  ASSERT_EQ(chmod(directory().c_str(), 0770), 0);
  EXPECT_THAT(LeftoverOf(Owner()), HasSubstr("other users may replace"));
  ASSERT_EQ(chmod(directory().c_str(), 01777), 0);
  EXPECT_EQ(LeftoverOf(Owner()), "");
  EXPECT_FALSE(Exists(SocketPath()));
}

TEST_F(AnnouncedSocketTest, AskingNeverWaitsAndFollowsNoLinks) {
  const Directory base = Base();
  ASSERT_EQ(mkfifo(base.PathOf("fifo").c_str(), 0600), 0);
  EXPECT_EQ(AskSocket(base, "fifo"), Answer::kAbsent);
  EXPECT_EQ(AskSocket(base, "absent"), Answer::kAbsent);
  const UniqueFd listener = BindAt(SocketPath(), true);
  ASSERT_EQ(symlink("plugin.sock", base.PathOf("link").c_str()), 0);
  EXPECT_EQ(AskSocket(base, "link"), Answer::kAbsent);
  // Nobody has connected.
  ASSERT_EQ(fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(accept(listener.get(), nullptr, nullptr), -1);
}

TEST_F(AnnouncedSocketTest, SocketOfAnotherTypeIsNotTakenForDead) {
  const UniqueFd datagram(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  SocketPath().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(datagram.get(), reinterpret_cast<struct sockaddr*>(&address),
                 sizeof(address)),
            0);
  EXPECT_EQ(AskSocket(Base(), "plugin.sock"), Answer::kUnknown);
}

}  // namespace
}  // namespace goplugin::internal
