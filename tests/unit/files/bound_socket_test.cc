#include "goplugin/internal/files/bound_socket.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "goplugin/internal/files/announced_socket.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class BoundSocketTest : public FilesTest {};

TEST_F(BoundSocketTest, ModeDoesNotDependOnTheUmask) {
  for (const mode_t mask : {0u, 077u, 0777u}) {
    EXPECT_EQ(InFork([&]() -> std::string {
                umask(mask);
                const Directory base = Base();
                for (const mode_t mode : {0600u, 0660u, 0666u}) {
                  absl::StatusOr<UniqueFd> fd =
                      BindSocket(base, "s", mode, absl::nullopt);
                  if (!fd.ok()) return fd.status().ToString();
                  if (ModeOf(base.PathOf("s")) != mode) return "another mode";
                  if (!base.Unlink("s").ok()) return "unlink";
                }
                return "";
              }),
              "");
  }
}

TEST_F(BoundSocketTest, CanBeListenedAtHoweverLongTheDirectorysPathIs) {
  const std::string deep = directory() + "/" + std::string(200, 'x');
  ASSERT_EQ(mkdir(deep.c_str(), 0700), 0);
  const absl::StatusOr<Directory> base = Directory::Open(deep);
  ASSERT_TRUE(base.ok()) << base.status();
  const absl::StatusOr<UniqueFd> fd =
      BindSocket(*base, "s", 0600, absl::nullopt);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(AskSocket(*base, "s"), Answer::kRefused);
  ASSERT_EQ(listen(fd->get(), 5), 0);
  EXPECT_EQ(AskSocket(*base, "s"), Answer::kUnknown);
}

TEST_F(BoundSocketTest, BelongsToTheGroup) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change groups";
  const Directory base = Base();
  ASSERT_TRUE(BindSocket(base, "s", 0660, kGid).ok());
  EXPECT_EQ(StatOf(base.PathOf("s")).st_gid, kGid);
  EXPECT_EQ(ModeOf(base.PathOf("s")), 0660u);
}

TEST_F(BoundSocketTest, NameThatIsTaken) {
  const Directory base = Base();
  const std::string file = WriteFile("s", "precious", 0644);
  const absl::Status status =
      BindSocket(base, "s", 0600, absl::nullopt).status();
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Evidence(status), HasSubstr("in use"));
  EXPECT_EQ(ModeOf(file), 0644u);
}

TEST_F(BoundSocketTest, WithoutProcTheErrorSaysSo) {
  const std::string problem = InFork([this]() -> std::string {
    const Directory base = Base();
    if (!TakeOwnMounts() || mount("none", "/proc", "tmpfs", 0, nullptr) != 0) {
      return "no mounts";
    }
    const absl::Status status =
        BindSocket(base, "s", 0600, absl::nullopt).status();
    EXPECT_EQ(Details(status).reason, Reason::kTransport);
    EXPECT_THAT(Details(status).hint, HasSubstr("mount /proc"));
    return Exists(base.PathOf("s")) ? "something is left" : "";
  });
  if (problem == "no mounts") GTEST_SKIP() << problem;
  EXPECT_EQ(problem, "");
}

}  // namespace
}  // namespace goplugin::internal
