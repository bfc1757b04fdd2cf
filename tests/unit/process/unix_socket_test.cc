#include "goplugin/internal/process/unix_socket.h"

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

class UnixSocketTest : public ProcessTest {
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
};

TEST_F(UnixSocketTest, AcceptsSocketsAndLinksToThem) {
  Listen(SocketPath());
  EXPECT_EQ(CheckUnixSocket(SocketPath()), absl::OkStatus());
  const std::string link = directory() + "/link";
  ASSERT_EQ(symlink("plugin.sock", link.c_str()), 0);
  EXPECT_EQ(CheckUnixSocket(link), absl::OkStatus());
}

TEST_F(UnixSocketTest, SaysWhatIsThereInstead) {
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
