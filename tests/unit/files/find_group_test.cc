#include "goplugin/internal/files/find_group.h"

#include <grp.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class FindGroupTest : public FilesTest {};

TEST_F(FindGroupTest, ByNameAndByNumber) {
  EXPECT_EQ(FindGroup("54322").value_or(0), 54322u);
  const struct group* own = getgrgid(getegid());
  if (own == nullptr) GTEST_SKIP() << "the own group has no name";
  EXPECT_EQ(FindGroup(own->gr_name).value_or(1), getegid());
}

// As Go: a name may look like a number.
TEST_F(FindGroupTest, NameThatLooksLikeANumberIsAName) {
  const std::string groups =
      WriteFile("group", "root:x:0:\n100:x:54322:\nusers:x:100:\n", 0644);
  const std::string problem = InFork([&]() -> std::string {
    if (!TakeOwnMounts() ||
        mount(groups.c_str(), "/etc/group", nullptr, MS_BIND, nullptr) != 0) {
      return "no mounts";
    }
    EXPECT_EQ(FindGroup("100").value_or(0), 54322u);
    EXPECT_EQ(FindGroup("users").value_or(0), 100u);
    EXPECT_EQ(FindGroup("101").value_or(0), 101u);
    return "";
  });
  if (problem == "no mounts") GTEST_SKIP() << problem;
  EXPECT_EQ(problem, "");
}

TEST_F(FindGroupTest, Unknown) {
  for (const char* group : {"no-such-group", "-5", "4294967295", "1x", ""}) {
    const absl::Status status = FindGroup(group).status();
    EXPECT_EQ(Details(status).reason, Reason::kOptions) << group;
    EXPECT_THAT(Details(status).what, HasSubstr(group));
    EXPECT_THAT(Evidence(status), HasSubstr("no group of that name"));
    EXPECT_THAT(Details(status).hint, HasSubstr("existing group"));
  }
}

}  // namespace
}  // namespace goplugin::internal
