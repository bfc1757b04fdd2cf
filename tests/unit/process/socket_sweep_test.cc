#include "goplugin/internal/process/socket_sweep.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class SocketSweepTest : public ProcessTest {
 protected:
  std::string SocketPath() const { return directory() + "/plugin.sock"; }

  static UniqueFd Listen(const std::string& path) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address),
                   sizeof(address)),
              0);
    return fd;
  }

  static bool Exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
  }
};

TEST_F(SocketSweepTest, SocketLeftBehindIsRemoved) {
  Listen(SocketPath());
  const absl::optional<SocketIdentity> identity = IdentifySocket(SocketPath());
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->path, SocketPath());
  // A change of mode, which plugins make after bind, makes no other socket.
  EXPECT_EQ(chmod(SocketPath().c_str(), 0600), 0);
  UnlinkIfSame(*identity);
  EXPECT_FALSE(Exists(SocketPath()));
  UnlinkIfSame(*identity);  // gone already: nothing to do
}

TEST_F(SocketSweepTest, LaterSocketOfTheSameNameStays) {
  Listen(SocketPath());
  const absl::optional<SocketIdentity> identity = IdentifySocket(SocketPath());
  ASSERT_TRUE(identity.has_value());
  // Kept under another name, so that its inode is not free to be used again.
  ASSERT_EQ(rename(SocketPath().c_str(), (directory() + "/old").c_str()), 0);
  Listen(SocketPath());
  UnlinkIfSame(*identity);
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(SocketSweepTest, ReusedInodeIsToldByItsTimeOfBirth) {
  Listen(SocketPath());
  absl::optional<SocketIdentity> identity = IdentifySocket(SocketPath());
  ASSERT_TRUE(identity.has_value());
  if (identity->birth_ns == 0) GTEST_SKIP() << "not kept by the file system";
  identity->birth_ns -= 1;
  UnlinkIfSame(*identity);
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(SocketSweepTest, OnlySocketsAreIdentified) {
  EXPECT_FALSE(IdentifySocket(directory() + "/absent").has_value());
  EXPECT_FALSE(IdentifySocket(directory()).has_value());
  EXPECT_FALSE(IdentifySocket(WriteFile("file", "")).has_value());
  Listen(SocketPath());
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink(SocketPath().c_str(), link.c_str()), 0);
  EXPECT_FALSE(IdentifySocket(link).has_value());
}

TEST_F(SocketSweepTest, FileInTheSocketsPlaceStays) {
  Listen(SocketPath());
  const absl::optional<SocketIdentity> identity = IdentifySocket(SocketPath());
  ASSERT_TRUE(identity.has_value());
  unlink(SocketPath().c_str());
  WriteFile("plugin.sock", "precious");
  UnlinkIfSame(*identity);
  EXPECT_TRUE(Exists(SocketPath()));
}

TEST_F(SocketSweepTest, CheckAcceptsSocketsAndLinksToThem) {
  Listen(SocketPath());
  EXPECT_EQ(CheckUnixSocket(SocketPath()), absl::OkStatus());
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink("plugin.sock", link.c_str()), 0);
  EXPECT_EQ(CheckUnixSocket(link), absl::OkStatus());
}

TEST_F(SocketSweepTest, CheckSaysWhatIsThereInstead) {
  absl::Status status = CheckUnixSocket(SocketPath());
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Details(status).what, HasSubstr("/plugin.sock"));
  EXPECT_THAT(Evidence(status), HasSubstr("No such file or directory"));
  EXPECT_THAT(Details(status).hint, HasSubstr("must listen before"));

  status = CheckUnixSocket(WriteFile("file", "some text", 0644));
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Evidence(status), HasSubstr("text file, mode 0644"));
  EXPECT_THAT(Details(status).hint, HasSubstr("path of the socket"));

  status = CheckUnixSocket(directory());
  EXPECT_THAT(Evidence(status), HasSubstr("found there: directory"));
}

}  // namespace
}  // namespace goplugin::internal
