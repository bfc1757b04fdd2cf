#include "goplugin/internal/files/removal.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/internal/files/time_limit.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

class RemovalTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    tree_ = directory() + "/tree";
    ASSERT_EQ(mkdir(tree_.c_str(), 0700), 0);
  }

  const std::string& tree() const { return tree_; }
  Removal Remove(absl::Duration time = absl::InfiniteDuration()) {
    return RemoveTree(Base(), "tree", TimeLimit(time));
  }
  // A chain of directories, made without a path that long.
  static void MakeChain(const std::string& start, int depth) {
    UniqueFd at(open(start.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < depth; ++i) {
      ASSERT_EQ(mkdirat(at.get(), "d", 0700), 0);
      const UniqueFd file(openat(at.get(), "f", O_CREAT | O_CLOEXEC, 0600));
      ASSERT_TRUE(file.valid());
      UniqueFd next(openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(next.valid());
      at = std::move(next);
    }
  }

 private:
  std::string tree_;
};

TEST_F(RemovalTest, FilesAndDirectories) {
  Touch(tree() + "/a");
  ASSERT_EQ(mkdir((tree() + "/b").c_str(), 0700), 0);
  Touch(tree() + "/b/c");
  ASSERT_EQ(mkdir((tree() + "/empty").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((tree() + "/fifo").c_str(), 0600), 0);
  BindAt(tree() + "/socket", false);
  EXPECT_EQ(Remove(), Removal::kDone);
  EXPECT_FALSE(Exists(tree()));
  EXPECT_EQ(Remove(), Removal::kDone) << "what is absent needs no removal";
}

TEST_F(RemovalTest, LinksAreRemovedNotFollowed) {
  const std::string outside = directory() + "/outside";
  ASSERT_EQ(mkdir(outside.c_str(), 0700), 0);
  Touch(outside + "/precious");
  ASSERT_EQ(symlink(outside.c_str(), (tree() + "/link").c_str()), 0);
  EXPECT_EQ(Remove(), Removal::kDone);
  EXPECT_TRUE(Exists(outside + "/precious"));
  // Nor a link in the tree's own place.
  ASSERT_EQ(symlink(outside.c_str(), tree().c_str()), 0);
  EXPECT_EQ(Remove(), Removal::kStuck);
  EXPECT_TRUE(Exists(outside + "/precious"));
  EXPECT_TRUE(Exists(tree()));
}

TEST_F(RemovalTest, OfAnyDepthWithFewDescriptors) {
  MakeChain(tree(), 1000);
  MakeChain(tree() + "/d", 0);
  EXPECT_EQ(InFork([this]() -> std::string {
              struct rlimit few = {40, 40};
              if (setrlimit(RLIMIT_NOFILE, &few) != 0) return "setrlimit";
              return Remove() == Removal::kDone ? "" : "not done";
            }),
            "");
  EXPECT_FALSE(Exists(tree()));
}

TEST_F(RemovalTest, ManyFilesOneCallAfterAnother) {
  for (int i = 0; i < 2000; ++i) Touch(absl::StrCat(tree(), "/", i));
  EXPECT_EQ(Remove(absl::ZeroDuration()), Removal::kMore);
  EXPECT_TRUE(Exists(tree()));
  EXPECT_EQ(Remove(), Removal::kDone);
  EXPECT_FALSE(Exists(tree()));
}

TEST_F(RemovalTest, WhatItsOwnerHasClosed) {
  const auto fill = [this] {
    const std::string closed = tree() + "/closed";
    EXPECT_EQ(mkdir(closed.c_str(), 0700), 0);
    Touch(closed + "/file");
    EXPECT_EQ(chmod(closed.c_str(), 0), 0);
  };
  fill();
  EXPECT_EQ(Remove(), Removal::kDone);
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
  EXPECT_EQ(AsUser(kUid,
                   [&]() -> std::string {
                     if (mkdir(tree().c_str(), 0700) != 0) return "mkdir";
                     fill();
                     return Remove() == Removal::kDone ? "" : "not done";
                   }),
            "");
}

// In a directory that all may write to, another user can move a directory into
// its own that it could not empty itself.
TEST_F(RemovalTest, DirectoriesOfOthersAreNotEntered) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  const std::string sticky = directory() + "/sticky";
  ASSERT_EQ(mkdir(sticky.c_str(), 0700), 0);
  Touch(sticky + "/precious");
  ASSERT_EQ(chmod(sticky.c_str(), 01777), 0);
  ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
  ASSERT_EQ(chown(tree().c_str(), kUid, kGid), 0);
  EXPECT_EQ(AsUser(kUid,
                   [&]() -> std::string {
                     EXPECT_NE(unlink((sticky + "/precious").c_str()), 0);
                     return rename(sticky.c_str(),
                                   (tree() + "/moved").c_str()) == 0
                                ? ""
                                : "can't be moved";
                   }),
            "");
  Touch(tree() + "/file");
  EXPECT_EQ(Remove(), Removal::kStuck);
  EXPECT_TRUE(Exists(tree() + "/moved/precious"));
  EXPECT_FALSE(Exists(tree() + "/file"));
}

TEST_F(RemovalTest, MountsAreNotCrossed) {
  const std::string problem = InFork([this]() -> std::string {
    const std::string outside = directory() + "/outside";
    const std::string inside = tree() + "/mount";
    if (mkdir(outside.c_str(), 0700) != 0 || mkdir(inside.c_str(), 0700) != 0) {
      return "mkdir";
    }
    Touch(outside + "/precious");
    if (!TakeOwnMounts() || mount(outside.c_str(), inside.c_str(), nullptr,
                                  MS_BIND, nullptr) != 0) {
      return "no mounts";
    }
    EXPECT_EQ(Remove(), Removal::kStuck);
    return Exists(outside + "/precious") ? "" : "crossed";
  });
  if (problem == "no mounts") GTEST_SKIP() << problem;
  EXPECT_EQ(problem, "");
}

}  // namespace
}  // namespace goplugin::internal
