#include "goplugin/internal/files/outer_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/files/time_limit.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class OuterDirectoryTest : public FilesTest {
 protected:
  absl::StatusOr<std::unique_ptr<OuterDirectory>> MakeIn(
      const std::string& option) const {
    PlaceRequest request;
    request.option = option;
    return OuterDirectory::Make(request);
  }
  std::unique_ptr<OuterDirectory> MustMake() const {
    absl::StatusOr<std::unique_ptr<OuterDirectory>> made = MakeIn(directory());
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
};

// Where a directory is made by these, or the error.
std::string PlaceOf(const PlaceRequest& request) {
  absl::StatusOr<std::unique_ptr<OuterDirectory>> made =
      OuterDirectory::Make(request);
  if (!made.ok()) return made.status().ToString();
  const std::string path = (*made)->directory().path();
  return path.substr(0, path.rfind('/'));
}

TEST_F(OuterDirectoryTest, IsShortAndGoesWithTheObject) {
  std::string path;
  {
    const auto made = MakeIn(directory() + "//");
    ASSERT_TRUE(made.ok()) << made.status();
    path = (*made)->directory().path();
    EXPECT_THAT(path, StartsWith(directory() + "/goplugin-"));
    EXPECT_EQ(path.size(), directory().size() + 16);
    EXPECT_EQ(ModeOf(path), 0711u);
    EXPECT_THAT(NamesIn(path), IsEmpty());
  }
  EXPECT_FALSE(Exists(path));
}

TEST_F(OuterDirectoryTest, IsLockedUntilItIsLeft) {
  std::unique_ptr<OuterDirectory> made = MustMake();
  ASSERT_NE(made, nullptr);
  const std::string path = made->directory().path();
  const UniqueFd other(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(other.valid());
  EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  made->Keep();
  made.reset();
  EXPECT_TRUE(Exists(path));
  EXPECT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(OuterDirectoryTest, ForkedCopyDoesNotRemoveIt) {
  std::unique_ptr<OuterDirectory> made = MustMake();
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(InFork([&made]() -> std::string {
              made.reset();
              return "";
            }),
            "");
  EXPECT_TRUE(Exists(made->directory().path()));
}

TEST_F(OuterDirectoryTest, LeavesWhatWasPutInItsPlace) {
  std::unique_ptr<OuterDirectory> made = MustMake();
  ASSERT_NE(made, nullptr);
  const std::string path = made->directory().path();
  const std::string moved = directory() + "/moved";
  Touch(path + "/file");
  ASSERT_EQ(rename(path.c_str(), moved.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  made.reset();
  EXPECT_TRUE(Exists(path));
  // What was in it goes all the same.
  EXPECT_THAT(NamesIn(moved), IsEmpty());
}

TEST_F(OuterDirectoryTest, IsTakenOverOnlyWhenItWasLeft) {
  std::unique_ptr<OuterDirectory> made = MustMake();
  ASSERT_NE(made, nullptr);
  const std::string path = made->directory().path();
  const std::string name = path.substr(path.rfind('/') + 1);
  EXPECT_EQ(OuterDirectory::TakeOver(directory(), name), nullptr);
  made->Keep();
  made.reset();
  // Of another layout, or somebody else's.
  for (const mode_t mode : {0700u, 0770u, 0755u, 01711u}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_EQ(OuterDirectory::TakeOver(directory(), name), nullptr) << mode;
  }
  ASSERT_EQ(chmod(path.c_str(), 0711), 0);
  EXPECT_EQ(OuterDirectory::TakeOver(directory(), "goplugin-absent"), nullptr);
  ASSERT_EQ(symlink(name.c_str(), (directory() + "/goplugin-aaaaaa").c_str()),
            0);
  EXPECT_EQ(OuterDirectory::TakeOver(directory(), "goplugin-aaaaaa"), nullptr);
  EXPECT_NE(OuterDirectory::TakeOver(directory(), name), nullptr);
  EXPECT_FALSE(Exists(path));
}

TEST_F(OuterDirectoryTest, OptionThatCanNotBeUsedIsAnError) {
  absl::Status status = MakeIn(directory() + "/absent").status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Details(status).what, HasSubstr("/absent"));
  EXPECT_THAT(Evidence(status), HasSubstr("No such file"));
  EXPECT_THAT(Details(status).hint, HasSubstr("short path"));

  const std::string base = directory() + "/" + std::string(60, 'x');
  ASSERT_EQ(mkdir(base.c_str(), 0700), 0);
  status = MakeIn(base).status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Evidence(status), HasSubstr("at most 61"));
}

TEST_F(OuterDirectoryTest, LongestPlaceLeavesRoomForASocket) {
  std::string base = directory() + "/";
  base.resize(61, 'x');
  ASSERT_EQ(mkdir(base.c_str(), 0700), 0);
  const auto made = MakeIn(base);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->directory().path().size() + sizeof("/l/plugin-") - 1 + 20,
            kMaxSocketPath);
}

TEST_F(OuterDirectoryTest, RelativeOptionStartsAtTheCallersDirectory) {
  PlaceRequest request;
  request.option = ".";
  request.caller.working_directory = directory();
  EXPECT_EQ(PlaceOf(request), directory() + "/.");
  request.caller.working_directory.clear();
  EXPECT_THAT(PlaceOf(request), HasSubstr("the current directory"));
}

TEST_F(OuterDirectoryTest, UsualPlacesInOrder) {
  const std::string first = directory() + "/first";
  const std::string second = directory() + "/second";
  ASSERT_EQ(mkdir(first.c_str(), 0700), 0);
  ASSERT_EQ(mkdir(second.c_str(), 0700), 0);
  const auto place = [](const std::string& runtime, const std::string& tmp) {
    PlaceRequest request;
    request.caller.runtime_directory = runtime;
    request.caller.temporary_directory = tmp;
    return PlaceOf(request);
  };
  EXPECT_EQ(place(first, second), first);
  EXPECT_EQ(place("/nonexistent", second), second);
  EXPECT_EQ(place("relative", second), second);
  EXPECT_EQ(place(first + std::string(60, '/') + ".", second), second);
  EXPECT_EQ(place("/proc", second), second);
  EXPECT_EQ(place("", ""), "/tmp");
  EXPECT_EQ(place("", "/nonexistent"), "/tmp");
}

// Whatever the reason: a place where no socket can be bound is none.
TEST_F(OuterDirectoryTest, WhereNoSocketCanBeBoundTheErrorNamesEachPlace) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!FailSystemCall(SYS_bind, EPERM)) return "seccomp";
              PlaceRequest request;
              request.caller.temporary_directory = directory();
              const absl::Status status =
                  OuterDirectory::Make(request).status();
              EXPECT_EQ(Details(status).reason, Reason::kTransport);
              EXPECT_THAT(Evidence(status), HasSubstr("binding the socket"));
              EXPECT_THAT(Evidence(status), HasSubstr(directory()));
              EXPECT_THAT(Evidence(status), HasSubstr("/tmp/goplugin-"));
              EXPECT_THAT(Details(status).hint, HasSubstr("TMPDIR"));
              return NamesIn(directory()).empty() ? "" : "something is left";
            }),
            "");
}

TEST_F(OuterDirectoryTest, WithoutDescriptorsTheHintIsAboutThem) {
  EXPECT_EQ(InFork([this]() -> std::string {
              for (int i = 0; i < 1 << 20 && dup(0) >= 0; ++i) {
              }
              const absl::Status status = MakeIn(directory()).status();
              EXPECT_THAT(Details(status).hint, HasSubstr("ulimit -n"));
              EXPECT_THAT(Evidence(status), HasSubstr("open files"));
              return "";
            }),
            "");
}

TEST_F(OuterDirectoryTest, PlaceThatTheUserCanReach) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  const std::string closed = directory() + "/closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0700), 0);
  PlaceRequest request;
  request.caller.runtime_directory = closed;
  request.caller.temporary_directory = directory();
  request.user = Command::User{kUid, kGid, {}};
  EXPECT_EQ(PlaceOf(request), directory());
  request.user->uid = 0;
  EXPECT_EQ(PlaceOf(request), closed);
  request.user->uid = kUid;
  request.option = closed;
  EXPECT_THAT(PlaceOf(request), HasSubstr("user 54321 may not enter"));
}

TEST_F(OuterDirectoryTest, ManyFilesTakeManyCalls) {
  std::unique_ptr<OuterDirectory> made = MustMake();
  ASSERT_NE(made, nullptr);
  const std::string path = made->directory().path();
  ASSERT_EQ(mkdir((path + "/l").c_str(), 0700), 0);
  Touch(path + "/l/file");
  EXPECT_EQ(made->RemoveSome(TimeLimit(absl::ZeroDuration())), Removal::kMore);
  EXPECT_TRUE(Exists(path + "/l/file"));
  EXPECT_EQ(made->RemoveSome(TimeLimit(absl::InfiniteDuration())),
            Removal::kDone);
  EXPECT_FALSE(Exists(path));
}

}  // namespace
}  // namespace goplugin::internal
