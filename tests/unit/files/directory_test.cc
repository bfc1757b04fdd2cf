#include "goplugin/internal/files/directory.h"

#include <sys/mount.h>
#include <unistd.h>

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class DirectoryTest : public FilesTest {};

TEST_F(DirectoryTest, ModeDoesNotDependOnTheUmask) {
  for (const mode_t mask : {0u, 022u, 0777u}) {
    EXPECT_EQ(InFork([&]() -> std::string {
                umask(mask);
                absl::StatusOr<Directory> made =
                    Base().MakeUniqueDirectory("d", 0711);
                if (!made.ok()) return made.status().ToString();
                return ModeOf(made->path()) == 0711 ? "" : "another mode";
              }),
              "");
  }
}

TEST_F(DirectoryTest, UmaskThatTakesEverythingFromOrdinaryUsers) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
  EXPECT_EQ(AsUser(kUid,
                   [&]() -> std::string {
                     umask(0777);
                     absl::StatusOr<Directory> made =
                         Base().MakeDirectory("d", 0700);
                     if (!made.ok()) return made.status().ToString();
                     return ModeOf(made->path()) == 0700 ? "" : "another mode";
                   }),
            "");
}

TEST_F(DirectoryTest, NamesThatAreTakenAreErrors) {
  const Directory base = Base();
  ASSERT_TRUE(base.MakeDirectory("a", 0700).ok());
  const absl::Status status = base.MakeDirectory("a", 0700).status();
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Evidence(status), HasSubstr("File exists"));
  // A link is one, too, and nothing is made where it leads.
  ASSERT_EQ(symlink("there", base.PathOf("link").c_str()), 0);
  EXPECT_FALSE(base.MakeDirectory("link", 0700).ok());
  EXPECT_FALSE(Exists(base.PathOf("there")));
}

TEST_F(DirectoryTest, LinksAreNotFollowed) {
  const Directory base = Base();
  ASSERT_TRUE(base.MakeDirectory("real", 0700).ok());
  ASSERT_EQ(symlink("real", base.PathOf("link").c_str()), 0);
  EXPECT_TRUE(base.OpenDirectory("real").ok());
  EXPECT_FALSE(base.OpenDirectory("link").ok());
  EXPECT_TRUE(base.Unlink("link").ok());
  EXPECT_TRUE(Exists(base.PathOf("real")));
}

TEST_F(DirectoryTest, KnowsWhetherItIsAtItsPath) {
  const Directory base = Base();
  absl::StatusOr<Directory> made = base.MakeDirectory("a", 0700);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->IsAtItsPath());
  ASSERT_EQ(rename(made->path().c_str(), base.PathOf("b").c_str()), 0);
  EXPECT_FALSE(made->IsAtItsPath());
  ASSERT_EQ(mkdir(made->path().c_str(), 0700), 0);
  EXPECT_FALSE(made->IsAtItsPath());
  // What is done goes where the directory is, not where the path leads.
  EXPECT_TRUE(made->MakeDirectory("inner", 0700).ok());
  EXPECT_TRUE(Exists(base.PathOf("b/inner")));
}

TEST_F(DirectoryTest, WhatIsGoneNeedsNoRemoval) {
  const Directory base = Base();
  EXPECT_TRUE(base.Unlink("absent").ok());
  EXPECT_TRUE(base.RemoveDirectory("absent").ok());
  ASSERT_TRUE(base.MakeDirectory("full", 0700).ok());
  Touch(base.PathOf("full/file"));
  const absl::Status status = base.RemoveDirectory("full");
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Evidence(status), HasSubstr("not empty"));
}

TEST_F(DirectoryTest, SaysWhyItCanNotBeOpened) {
  const absl::Status status = Directory::Open(directory() + "/absent").status();
  EXPECT_EQ(Details(status).reason, Reason::kTransport);
  EXPECT_THAT(Details(status).what, HasSubstr("/absent"));
  EXPECT_THAT(Evidence(status), HasSubstr("No such file"));
  EXPECT_FALSE(Directory::Open(WriteFile("file", "")).ok());
}

TEST_F(DirectoryTest, RandomNamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = RandomName("goplugin-");
    EXPECT_THAT(name, StartsWith("goplugin-"));
    EXPECT_EQ(name.size(), 15u);
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 1000u);
}

}  // namespace
}  // namespace goplugin::internal
