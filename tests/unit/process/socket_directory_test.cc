#include "goplugin/internal/process/socket_directory.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SocketDirectoryTest : public ProcessTest {};

bool Exists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(lstat(path.c_str(), &info), 0);
  return info;
}

void Touch(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_TRUE(fd.valid());
}

TEST_F(SocketDirectoryTest, IsPrivateAndShortAndGoesWithTheObject) {
  std::string path;
  {
    auto made = SocketDirectory::Create(directory() + "//", "");
    ASSERT_TRUE(made.ok()) << made.status();
    path = (*made)->path();
    EXPECT_THAT(path, StartsWith(directory() + "/goplugin-"));
    EXPECT_EQ(path.size(), directory().size() + 16);
    EXPECT_EQ(StatOf(path).st_mode & 07777, 0700u);
    EXPECT_TRUE(S_ISDIR(StatOf(path).st_mode));
  }
  EXPECT_FALSE(Exists(path));
}

TEST_F(SocketDirectoryTest, ModeDoesNotDependOnTheUmask) {
  EXPECT_EQ(InFork([this]() -> std::string {
              umask(0777);
              auto made = SocketDirectory::Create(directory(), "");
              if (!made.ok()) return made.status().ToString();
              EXPECT_EQ(StatOf((*made)->path()).st_mode & 07777, 0700u);
              return "";
            }),
            "");
}

TEST_F(SocketDirectoryTest, RemovesFilesAndOneLevelOfDirectories) {
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string path = (*made)->path();
  Touch(path + "/plugin-1");
  ASSERT_EQ(mkdir((path + "/inner").c_str(), 0700), 0);
  Touch(path + "/inner/plugin-2");
  (*made)->Remove();
  EXPECT_FALSE(Exists(path));
  (*made)->Remove();  // and again does nothing
}

TEST_F(SocketDirectoryTest, LeavesWhatIsNestedDeeper) {
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string path = (*made)->path();
  ASSERT_EQ(mkdir((path + "/a").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((path + "/a/b").c_str(), 0700), 0);
  Touch(path + "/a/b/file");
  (*made)->Remove();
  EXPECT_TRUE(Exists(path + "/a/b/file"));
  unlink((path + "/a/b/file").c_str());
  rmdir((path + "/a/b").c_str());
  rmdir((path + "/a").c_str());
  rmdir(path.c_str());
}

TEST_F(SocketDirectoryTest, DoesNotFollowLinks) {
  const std::string outside = WriteFile("outside", "");
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string path = (*made)->path();
  ASSERT_EQ(symlink(directory().c_str(), (path + "/link").c_str()), 0);
  (*made)->Remove();
  EXPECT_FALSE(Exists(path));
  EXPECT_TRUE(Exists(outside));
}

TEST_F(SocketDirectoryTest, LeavesWhatWasPutInItsPlace) {
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string path = (*made)->path();
  const std::string moved = directory() + "/moved";
  ASSERT_EQ(rename(path.c_str(), moved.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  (*made)->Remove();
  EXPECT_TRUE(Exists(path));
}

TEST_F(SocketDirectoryTest, KeptDirectoryStays) {
  std::string path;
  {
    auto made = SocketDirectory::Create(directory(), "");
    ASSERT_TRUE(made.ok()) << made.status();
    path = (*made)->path();
    (*made)->Keep();
  }
  EXPECT_TRUE(Exists(path));
}

TEST_F(SocketDirectoryTest, ForkedCopyDoesNotRemoveIt) {
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(InFork([&made] {
              made->reset();
              return "";
            }),
            "");
  EXPECT_TRUE(Exists((*made)->path()));
}

TEST_F(SocketDirectoryTest, IsLockedAgainstSweepers) {
  auto made = SocketDirectory::Create(directory(), "");
  ASSERT_TRUE(made.ok()) << made.status();
  const UniqueFd other(open((*made)->path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(other.valid());
  EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  (*made)->Keep();
  EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(SocketDirectoryTest, GroupMayEnter) {
  const struct group* own = getgrgid(getegid());
  if (own == nullptr) GTEST_SKIP() << "the own group has no name";
  const std::string name = own->gr_name;
  const std::string number = absl::StrCat(getegid());
  for (const std::string& group : {name, number}) {
    auto made = SocketDirectory::Create(directory(), group);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(StatOf((*made)->path()).st_mode & 07777, 0770u);
    EXPECT_EQ(StatOf((*made)->path()).st_gid, getegid());
  }
}

TEST_F(SocketDirectoryTest, UnknownGroup) {
  for (const char* group : {"no-such-group", "-5", "4294967295"}) {
    const absl::Status status =
        SocketDirectory::Create(directory(), group).status();
    EXPECT_EQ(Details(status).reason, Reason::kOptions) << group;
    EXPECT_THAT(Details(status).what, HasSubstr(group));
    EXPECT_THAT(Evidence(status), HasSubstr("no group of that name"));
    EXPECT_THAT(Details(status).hint, HasSubstr("existing group"));
  }
}

TEST_F(SocketDirectoryTest, GroupThatIsNotOurs) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!FailSystemCall(SYS_fchown, EPERM)) return "seccomp";
              const absl::Status status =
                  SocketDirectory::Create(directory(), "0").status();
              EXPECT_EQ(Details(status).reason, Reason::kOptions);
              EXPECT_THAT(Evidence(status), HasSubstr("Operation not"));
              EXPECT_THAT(Details(status).hint, HasSubstr("is a member of"));
              EXPECT_EQ(rmdir(directory().c_str()), 0) << "something was left";
              return mkdir(directory().c_str(), 0700) == 0 ? "" : "mkdir";
            }),
            "");
}

TEST_F(SocketDirectoryTest, GivenBaseThatCanNotBeUsedIsAnError) {
  absl::Status status =
      SocketDirectory::Create(directory() + "/absent", "").status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Details(status).what, HasSubstr("/absent"));
  EXPECT_THAT(Evidence(status), HasSubstr("No such file"));
  EXPECT_THAT(Details(status).hint, HasSubstr("short path"));

  const std::string base = directory() + "/" + std::string(60, 'x');
  ASSERT_EQ(mkdir(base.c_str(), 0700), 0);
  status = SocketDirectory::Create(base, "").status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Evidence(status), HasSubstr("at most 63"));
}

TEST_F(SocketDirectoryTest, LongestBaseLeavesRoomForASocket) {
  std::string base = directory() + "/";
  base.resize(63, 'x');
  ASSERT_EQ(mkdir(base.c_str(), 0700), 0);
  auto made = SocketDirectory::Create(base, "");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->path().size() + sizeof("/plugin-") - 1 + 20, 107u);
}

TEST_F(SocketDirectoryTest, RelativeBaseIsMadeAbsolute) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (chdir(directory().c_str()) != 0) return "chdir";
              auto made = SocketDirectory::Create(".", "");
              if (!made.ok()) return made.status().ToString();
              EXPECT_THAT((*made)->path(), StartsWith(directory() + "/"));
              return "";
            }),
            "");
}

TEST_F(SocketDirectoryTest, UsualPlacesInOrder) {
  EXPECT_EQ(
      InFork([this]() -> std::string {
        const std::string first = directory() + "/first";
        const std::string second = directory() + "/second";
        mkdir(first.c_str(), 0700);
        mkdir(second.c_str(), 0700);
        const auto made_in = [](const char* runtime, const char* tmp) {
          setenv("XDG_RUNTIME_DIR", runtime, 1);
          setenv("TMPDIR", tmp, 1);
          auto made = SocketDirectory::Create("", "");
          return made.ok() ? (*made)->path() : made.status().ToString();
        };
        const char* a = first.c_str();
        const char* b = second.c_str();
        const std::string too_long = first + std::string(60, '/') + ".";
        EXPECT_THAT(made_in(a, b), StartsWith(first + "/goplugin-"));
        EXPECT_THAT(made_in("/nonexistent", b), StartsWith(second + "/"));
        EXPECT_THAT(made_in("relative", b), StartsWith(second + "/"));
        EXPECT_THAT(made_in(too_long.c_str(), b), StartsWith(second + "/"));
        EXPECT_THAT(made_in("", ""), StartsWith("/tmp/goplugin-"));
        EXPECT_THAT(made_in("", "/nonexistent"), StartsWith("/tmp/goplugin-"));
        return "";
      }),
      "");
}

}  // namespace
}  // namespace goplugin::internal
