#include "goplugin/internal/serve/plugin_socket.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/process/unique_fd.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Binds a socket to `path`, as gRPC does.
void Bind(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(
      bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

std::string DirectoryOf(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

class PluginSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Not TEST_TMPDIR: it can be longer than a socket's path may be.
    char path[] = "/tmp/socketXXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
  }
  // Fails when a test has left something.
  void TearDown() override { EXPECT_EQ(rmdir(directory_.c_str()), 0); }

  std::string directory_;
};

TEST_F(PluginSocketTest, IsForThisUserOnly) {
  absl::StatusOr<std::unique_ptr<PluginSocket>> socket =
      PluginSocket::Create(directory_, "");
  ASSERT_TRUE(socket.ok()) << socket.status();
  const std::string path = (*socket)->path();
  EXPECT_THAT(path, StartsWith(directory_ + "/plugin"));
  EXPECT_FALSE(Exists(path));
  Bind(path);
  ASSERT_TRUE((*socket)->RestrictAccess().ok());
  EXPECT_EQ(ModeOf(path), 0600u);
  socket->reset();
  EXPECT_FALSE(Exists(path));
}

TEST_F(PluginSocketTest, TwoInOneDirectoryDiffer) {
  auto one = PluginSocket::Create(directory_, "");
  auto two = PluginSocket::Create(directory_, "");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE((*one)->path(), (*two)->path());
}

TEST_F(PluginSocketTest, OpensToTheGroupByNumberAndName) {
  const gid_t gid = getegid();
  std::vector<std::string> names = {std::to_string(gid)};
  if (const group* entry = getgrgid(gid)) names.push_back(entry->gr_name);
  for (const std::string& name : names) {
    auto socket = PluginSocket::Create(directory_, name);
    ASSERT_TRUE(socket.ok()) << socket.status();
    Bind((*socket)->path());
    ASSERT_TRUE((*socket)->RestrictAccess().ok());
    EXPECT_EQ(ModeOf((*socket)->path()), 0660u);
    struct stat info = {};
    ASSERT_EQ(lstat((*socket)->path().c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, gid);
  }
}

TEST_F(PluginSocketTest, MakesAndRemovesADirectoryOfItsOwn) {
  auto socket = PluginSocket::Create("", "");
  ASSERT_TRUE(socket.ok()) << socket.status();
  const std::string path = (*socket)->path();
  EXPECT_THAT(path, EndsWith("/s"));
  EXPECT_EQ(ModeOf(DirectoryOf(path)), 0700u);
  Bind(path);
  (*socket)->Remove();
  EXPECT_FALSE(Exists(DirectoryOf(path)));
}

TEST_F(PluginSocketTest, LetsTheGroupEnterItsOwnDirectory) {
  auto socket = PluginSocket::Create("", std::to_string(getegid()));
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(ModeOf(DirectoryOf((*socket)->path())), 0710u);
}

void ExpectTransportError(const absl::Status& status, const std::string& what,
                          const std::string& hint) {
  absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_EQ(details->reason, Reason::kTransport);
  EXPECT_THAT(details->what, HasSubstr(what));
  EXPECT_THAT(details->hint, HasSubstr(hint));
}

TEST_F(PluginSocketTest, ExplainsWhatItCantUse) {
  ExpectTransportError(
      PluginSocket::Create(directory_ + "/missing", "").status(),
      std::strerror(ENOENT), "PLUGIN_UNIX_SOCKET_DIR");
  ExpectTransportError(
      PluginSocket::Create(directory_, "no such group").status(),
      "no such group", "PLUGIN_UNIX_SOCKET_GROUP");
}

TEST_F(PluginSocketTest, RefusesAPathThatIsTooLong) {
  const std::string deep = directory_ + "/" + std::string(100, 'd');
  ASSERT_EQ(mkdir(deep.c_str(), 0700), 0);
  ExpectTransportError(PluginSocket::Create(deep, "").status(),
                       "107 are possible", "shorter");
  EXPECT_EQ(rmdir(deep.c_str()), 0);
}

TEST(PrivateUmask, IsPutBack) {
  const mode_t before = umask(022);
  {
    PrivateUmask mask;
    EXPECT_EQ(umask(077), 077u);
  }
  EXPECT_EQ(umask(before), 022u);
}

}  // namespace
}  // namespace goplugin::internal
