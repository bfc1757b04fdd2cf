#include "goplugin/discover.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/harness/expect_error.h"

namespace goplugin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A folder of its own for each test.
class DiscoverTest : public ::testing::Test {
 protected:
  DiscoverTest() {
    std::string name = ::testing::TempDir() + "/discover_XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = std::filesystem::canonical(name).string();
  }
  ~DiscoverTest() override { std::filesystem::remove_all(folder_); }

  void Make(const std::string& name) { std::ofstream(Path(name)) << "x"; }
  std::string Path(const std::string& name) const {
    return folder_ + "/" + name;
  }

  // The paths that are found, or none and a failure.
  std::vector<std::string> Find(const std::string& glob,
                                const std::string& directory) {
    const absl::StatusOr<std::vector<std::string>> found =
        Discover(glob, directory);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : std::vector<std::string>();
  }
  std::vector<std::string> Find(const std::string& glob) {
    return Find(glob, folder_);
  }

  std::string folder_;
};

TEST_F(DiscoverTest, FindsWhatTheGlobSaysInOrder) {
  for (const char* name : {"kv-b", "kv-a", "kv-", "xkv-a", ".kv-a", "KV-a"}) {
    Make(name);
  }
  std::filesystem::create_directory(Path("kv-folder"));
  Make("kv-folder/kv-below");
  EXPECT_THAT(Find("kv-*"), ElementsAre(Path("kv-"), Path("kv-a"), Path("kv-b"),
                                        Path("kv-folder")));
  EXPECT_THAT(Find("kv-?"), ElementsAre(Path("kv-a"), Path("kv-b")));
  EXPECT_THAT(Find("kv-[!a]"), ElementsAre(Path("kv-b")));
  EXPECT_THAT(Find("kv-a"), ElementsAre(Path("kv-a")));
  EXPECT_THAT(Find(".kv*"), ElementsAre(Path(".kv-a")));
  EXPECT_THAT(Find("*nothing*"), IsEmpty());
}

TEST_F(DiscoverTest, EscapesMeanTheCharacterItself) {
  Make("a*");
  Make("ab");
  Make("a[1]");
  Make("a]");
  EXPECT_THAT(Find("a\\*"), ElementsAre(Path("a*")));
  EXPECT_THAT(Find("a\\[1\\]"), ElementsAre(Path("a[1]")));
  EXPECT_THAT(Find("a[]*]"), ElementsAre(Path("a*"), Path("a]")));
}

TEST_F(DiscoverTest, TheDirectoryIsTakenLiterally) {
  std::filesystem::create_directory(Path("[a]*"));
  Make("[a]*/kv");
  EXPECT_THAT(Find("*", Path("[a]*")), ElementsAre(Path("[a]*/kv")));
}

TEST_F(DiscoverTest, ARelativeDirectoryGivesAbsolutePaths) {
  std::filesystem::create_directory(Path("plugins"));
  Make("plugins/kv");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  EXPECT_THAT(Find("kv", "plugins/"), ElementsAre(Path("plugins/kv")));
  EXPECT_THAT(Find("kv", ".//./plugins"), ElementsAre(Path("plugins/kv")));
  EXPECT_THAT(Find("*", "."), ElementsAre(Path("plugins")));
  std::filesystem::current_path(before);
}

// The parent of what the link leads to, as the kernel has it.
TEST_F(DiscoverTest, AParentBehindALink) {
  std::filesystem::create_directories(Path("elsewhere/versions"));
  Make("elsewhere/kv");
  std::filesystem::create_symlink(Path("elsewhere/versions"), Path("link"));
  const std::vector<std::string> found = Find("kv", Path("link/.."));
  ASSERT_THAT(found, ElementsAre(Path("link/../kv")));
  EXPECT_TRUE(std::filesystem::exists(found[0]));
}

TEST_F(DiscoverTest, AMalformedGlobSaysWhatIsWrong) {
  const struct {
    const char* glob;
    const char* why;
  } kCases[] = {
      {"", "it is empty"},        {"kv-[a", "a '[' has no ']'"},
      {"[]", "a '[' has no ']'"}, {"[!]", "a '[' has no ']'"},
      {"[a\\]", "a '['"},         {"kv\\", "nothing follows"},
      {"sub/kv", "holds a '/'"},
  };
  for (const auto& c : kCases) {
    testing::ExpectError(Discover(c.glob, folder_).status(),
                         {Reason::kOptions, c.why, "pattern for names"});
  }
}

TEST_F(DiscoverTest, ADirectoryThatCantBeReadIsAnError) {
  Make("file");
  testing::ExpectError(Discover("*", Path("missing")).status(),
                       {Reason::kOptions, "No such file", "a directory that"});
  testing::ExpectError(Discover("*", Path("file")).status(),
                       {Reason::kOptions, "Not a directory", ""});
  testing::ExpectError(Discover("*", "").status(),
                       {Reason::kOptions, "No such file", "\".\""});
  if (geteuid() == 0) return;  // root reads everything
  std::filesystem::create_directory(Path("closed"));
  std::filesystem::permissions(Path("closed"), std::filesystem::perms::none);
  testing::ExpectError(Discover("*", Path("closed")).status(),
                       {Reason::kOptions, "Permission denied", "may read"});
  std::filesystem::permissions(Path("closed"),
                               std::filesystem::perms::owner_all);
}

}  // namespace
}  // namespace goplugin
