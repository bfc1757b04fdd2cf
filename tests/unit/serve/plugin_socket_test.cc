#include "goplugin/internal/serve/plugin_socket.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

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
  const mode_t before = umask(0);
  PluginDirectories directories(directory_, "");
  auto socket = PluginSocket::Listen(directories, 1);
  // The mask is the whole process's: it is not ours to change.
  EXPECT_EQ(umask(before), 0u);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const std::string path = (*socket)->path();
  EXPECT_THAT(path, StartsWith(directory_ + "/plugin"));
  EXPECT_EQ(ModeOf(path), 0600u);
  socket->reset();
  EXPECT_FALSE(Exists(path));
}

TEST_F(PluginSocketTest, TwoInOneDirectoryDiffer) {
  PluginDirectories directories(directory_, "");
  auto one = PluginSocket::Listen(directories, 1);
  auto two = PluginSocket::Listen(directories, 1);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE((*one)->path(), (*two)->path());
}

TEST_F(PluginSocketTest, OpensToTheGroupByNumberAndName) {
  const gid_t gid = getegid();
  std::vector<std::string> names = {std::to_string(gid)};
  if (const group* entry = getgrgid(gid)) names.push_back(entry->gr_name);
  for (const std::string& name : names) {
    PluginDirectories directories(directory_, name);
    auto socket = PluginSocket::Listen(directories, 1);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(ModeOf((*socket)->path()), 0660u);
    struct stat info = {};
    ASSERT_EQ(lstat((*socket)->path().c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, gid);
    const auto brokered = directories.Brokered();
    ASSERT_TRUE(brokered.ok()) << brokered.status();
    EXPECT_EQ(ModeOf(brokered->directory->path()), 0710u);
    EXPECT_EQ(brokered->socket_mode, 0666u);
  }
}

TEST_F(PluginSocketTest, MakesAndRemovesADirectoryOfItsOwn) {
  std::string path;
  {
    PluginDirectories directories("", "");
    auto socket = PluginSocket::Listen(directories, 1);
    ASSERT_TRUE(socket.ok()) << socket.status();
    path = (*socket)->path();
    EXPECT_EQ(ModeOf(path), 0600u);
    EXPECT_EQ(ModeOf(DirectoryOf(path)), 0711u) << "to pass, not to list";
  }
  EXPECT_FALSE(Exists(DirectoryOf(path)));
}

TEST_F(PluginSocketTest, WalksOnWhenTmpdirIsTooLong) {
  const std::string deep = directory_ + "/" + std::string(100, 'd');
  ASSERT_EQ(mkdir(deep.c_str(), 0700), 0);
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TMPDIR", deep.c_str(), 1);
  {
    PluginDirectories directories("", "");
    auto socket = PluginSocket::Listen(directories, 1);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_THAT((*socket)->path(), StartsWith("/tmp/goplugin-"));
  }
  unsetenv("TMPDIR");
  EXPECT_EQ(rmdir(deep.c_str()), 0);
}

// logind removes XDG_RUNTIME_DIR at logout, and the host's directory with it.
TEST_F(PluginSocketTest, BrokersAnewWhereTheLentDirectoryIsGone) {
  const std::string lent = directory_ + "/lent";
  ASSERT_EQ(mkdir(lent.c_str(), 0700), 0);
  PluginDirectories directories(lent, "");
  const auto before = directories.Brokered();
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_THAT(before->directory->path(), StartsWith(lent + "/b"));
  ASSERT_EQ(rmdir(before->directory->path().c_str()), 0);
  ASSERT_EQ(rmdir(lent.c_str()), 0);
  const auto after = directories.Brokered();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_THAT(after->directory->path(), HasSubstr("/goplugin-"));
}

void ExpectTransportError(const absl::Status& status, const std::string& what,
                          const std::string& hint) {
  absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_EQ(details->reason, Reason::kTransport);
  EXPECT_THAT(status.message(), HasSubstr(what));
  EXPECT_THAT(details->hint, HasSubstr(hint));
}

TEST_F(PluginSocketTest, ExplainsWhatItCantUse) {
  PluginDirectories missing(directory_ + "/missing", "");
  ExpectTransportError(PluginSocket::Listen(missing, 1).status(),
                       std::strerror(ENOENT), "PLUGIN_UNIX_SOCKET_DIR");
  PluginDirectories strange(directory_, "no such group");
  ExpectTransportError(PluginSocket::Listen(strange, 1).status(),
                       "no such group", "PLUGIN_UNIX_SOCKET_GROUP");
}

TEST_F(PluginSocketTest, RefusesAPathThatIsTooLong) {
  const std::string deep = directory_ + "/" + std::string(100, 'd');
  ASSERT_EQ(mkdir(deep.c_str(), 0700), 0);
  PluginDirectories directories(deep, "");
  ExpectTransportError(PluginSocket::Listen(directories, 1).status(),
                       "107 are possible", "shorter");
  EXPECT_EQ(rmdir(deep.c_str()), 0);
}

}  // namespace
}  // namespace goplugin::internal
