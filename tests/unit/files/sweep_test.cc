#include "goplugin/internal/files/sweep.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/internal/files/mark.h"
#include "goplugin/internal/files/outer_directory.h"
#include "goplugin/internal/files/time_limit.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::IsEmpty;

class SweepTest : public FilesTest {
 protected:
  SweepResult Sweep(absl::Duration time = absl::InfiniteDuration()) const {
    return SweepDead(Request().place, TimeLimit(time));
  }

  // The lent directory of a host that died at once. `more` may add to it.
  std::string LeaveBehind(
      const std::function<void(PluginFiles&, const std::string&)>& more =
          nullptr,
      uint32_t uid = 0) const {
    const std::string names_before = Names();
    EXPECT_EQ(InFork([&]() -> std::string {
                FilesRequest request = Request();
                if (uid != 0) request.place.user = Command::User{uid, kGid, {}};
                // Never destroyed: the host is killed.
                auto* const files = new std::shared_ptr<PluginFiles>(
                    PluginFiles::Create(request));
                const auto lent = (*files)->Lend();
                if (!lent.ok()) return lent.status().ToString();
                if (more != nullptr) more(**files, (*lent)->path());
                return "";
              }),
              "");
    for (const std::string& name : NamesIn(directory())) {
      if (!absl::StrContains(names_before, name)) {
        return absl::StrCat(directory(), "/", name, "/l");
      }
    }
    return "";
  }
  std::string Names() const {
    std::string all;
    for (const std::string& name : NamesIn(directory())) {
      absl::StrAppend(&all, name, " ");
    }
    return all;
  }
};

TEST_F(SweepTest, DeadHostsDirectoryGoes) {
  const std::string lent =
      LeaveBehind([](PluginFiles& /*files*/, const std::string& path) {
        BindAt(path + "/plugin", false);
        Touch(path + "/file");
      });
  EXPECT_EQ(Sweep().removed, 1);
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(SweepTest, LivingHostsDirectoryStays) {
  // Of this process, and of another.
  const auto own = PluginFiles::Create(Request());
  ASSERT_TRUE(own->Lend().ok());
  EXPECT_EQ(Sweep().removed, 0);
  EXPECT_EQ(InFork([this]() -> std::string {
              return Sweep().removed == 0 ? "" : "removed";
            }),
            "");
  EXPECT_TRUE(Exists(own->lent_path()));
}

TEST_F(SweepTest, SocketThatAnswersKeepsIt) {
  const std::string lent = LeaveBehind();
  ASSERT_EQ(mkdir((lent + "/deep").c_str(), 0700), 0);
  {
    const UniqueFd listener = BindAt(lent + "/deep/plugin", true);
    EXPECT_EQ(Sweep().removed, 0);
    EXPECT_TRUE(Exists(lent + "/deep/plugin"));
  }
  EXPECT_EQ(Sweep().removed, 1);
}

TEST_F(SweepTest, MarkOfALivingPluginKeepsIt) {
  const pid_t living = getpid();
  const std::string lent =
      LeaveBehind([living](PluginFiles& files, const std::string& /*path*/) {
        EXPECT_EQ(files.MarkOutliving(living), absl::OkStatus());
      });
  EXPECT_EQ(Sweep().removed, 0);
  EXPECT_TRUE(Exists(lent));
  // As if that process had ended, and its number were another's.
  WriteFile(lent.substr(directory().size() + 1, 15) + "/m", "", 0600);
  EXPECT_EQ(Sweep().removed, 0) << "a mark without a number is a mark";
}

TEST_F(SweepTest, MarkOfADeadPluginDoesNot) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  LeaveBehind([child](PluginFiles& files, const std::string& /*path*/) {
    EXPECT_EQ(files.MarkOutliving(child), absl::OkStatus());
  });
  EXPECT_EQ(Sweep().removed, 0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(Sweep().removed, 1);
}

// A host was killed between the making of a directory and its lock.
TEST_F(SweepTest, UnfinishedOnesGo) {
  const std::string path = directory() + "/goplugin-newnew";
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(chmod(path.c_str(), kUnfinishedMode), 0);
  Touch(path + "/file");
  Sweep();
  EXPECT_EQ(NamesIn(directory()).size(), 1u);
  ASSERT_EQ(unlink((path + "/file").c_str()), 0);
  const int locked = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(locked, LOCK_EX), 0);
  Sweep();
  EXPECT_EQ(NamesIn(directory()).size(), 1u);
  close(locked);
  Sweep();
  EXPECT_EQ(NamesIn(directory()).size(), 0u);
}

TEST_F(SweepTest, OtherLayoutsStay) {
  // Of an older host, and a user's own.
  for (const char* name : {"/goplugin-oldold", "/goplugin-newnew"}) {
    ASSERT_EQ(mkdir((directory() + name).c_str(), 0700), 0);
  }
  BindAt(directory() + "/goplugin-oldold/plugin", false);
  ASSERT_EQ(mkdir((directory() + "/goplugin-other").c_str(), 0711), 0);
  ASSERT_EQ(mkdir((directory() + "/goplugin-toolong").c_str(), 0711), 0);
  ASSERT_EQ(
      symlink("goplugin-oldold", (directory() + "/goplugin-linked").c_str()),
      0);
  Touch(directory() + "/goplugin-filed1");
  EXPECT_EQ(Sweep().removed, 0);
  EXPECT_EQ(NamesIn(directory()).size(), 6u);
}

TEST_F(SweepTest, OnlyThisUsersAreTouched) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  ASSERT_EQ(chmod(directory().c_str(), 01777), 0);
  EXPECT_EQ(AsUser(kUid,
                   [this]() -> std::string {
                     return mkdir((directory() + "/goplugin-bbbbbb").c_str(),
                                  0711) == 0
                                ? ""
                                : "mkdir";
                   }),
            "");
  EXPECT_EQ(Sweep().removed, 0);
  EXPECT_TRUE(Exists(directory() + "/goplugin-bbbbbb"));
}

TEST_F(SweepTest, RootSweepsWhatItLent) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  LeaveBehind(
      [](PluginFiles& /*files*/, const std::string& path) {
        EXPECT_EQ(mkdir((path + "/own").c_str(), 0700), 0);
        Touch(path + "/own/file");
        EXPECT_EQ(chown((path + "/own").c_str(), kUid, kGid), 0);
        BindAt(path + "/plugin", false);
      },
      kUid);
  EXPECT_EQ(Sweep().removed, 1);
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

TEST_F(SweepTest, FifosAndLinksAreNoObstacle) {
  const std::string lent = LeaveBehind();
  ASSERT_EQ(mkfifo((lent + "/fifo").c_str(), 0600), 0);
  ASSERT_EQ(symlink("/", (lent + "/root").c_str()), 0);
  EXPECT_EQ(Sweep().removed, 1);
}

TEST_F(SweepTest, EndsAtItsDeadline) {
  LeaveBehind();
  const SweepResult result = Sweep(absl::ZeroDuration());
  EXPECT_EQ(result.removed, 0);
  EXPECT_TRUE(result.has_more);
  EXPECT_EQ(Sweep().removed, 1);
}

// Hosts that make, use and remove their directories while others sweep.
TEST_F(SweepTest, ManyThatMakeAndSweepLoseNothing) {
  std::vector<pid_t> hosts;
  for (int i = 0; i < 3; ++i) {
    const pid_t host = fork();
    if (host == 0) {
      for (int round = 0; round < 100; ++round) {
        const auto files = PluginFiles::Create(Request());
        const auto lent = files->Lend();
        if (!lent.ok()) _exit(1);
        Touch((*lent)->PathOf("file"));
        Sweep();
        if (!Exists((*lent)->PathOf("file"))) _exit(2);
        if (files->RemoveSome(TimeLimit(absl::InfiniteDuration())) !=
            Removal::kDone) {
          _exit(3);
        }
      }
      _exit(0);
    }
    hosts.push_back(host);
  }
  for (const pid_t host : hosts) {
    int status = -1;
    waitpid(host, &status, 0);
    EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
  }
  EXPECT_THAT(NamesIn(directory()), IsEmpty());
}

}  // namespace
}  // namespace goplugin::internal
