// A child that runs as another user: takes root, as which the tests of CI run.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/checksum.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

// Of nobody.
constexpr uint32_t kUid = 54321;
constexpr uint32_t kGid = 54322;

class SpawnUserTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    before_ = HostState();
    // Where any user can reach it.
    ASSERT_EQ(chmod(directory().c_str(), 0755), 0);
    std::ifstream file(ChildProgram(), std::ios::binary);
    program_ = WriteFile("program", {std::istreambuf_iterator<char>(file), {}});
  }
  void TearDown() override {
    EXPECT_EQ(HostState(), before_);
    ProcessTest::TearDown();
  }

  SpawnRequest AsUser(std::vector<std::string> args) const {
    SpawnRequest request;
    request.command.path = program_;
    request.command.args = std::move(args);
    request.command.working_directory = "/";
    request.command.user = Command::User{kUid, kGid, {7, 54323}};
    return request;
  }

 private:
  std::string before_, program_;
};

// False for ordinary users, and in a sandbox with a single user.
bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  uint64_t inside = 0, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kUid;
}

#define SKIP_UNLESS_ROOT() \
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users"

TEST_F(SpawnUserTest, IdsAreTheUsers) {
  SKIP_UNLESS_ROOT();
  const std::string status = OutputOf(AsUser({"cat", "/proc/self/status"}));
  EXPECT_THAT(status, HasSubstr("Uid:\t54321\t54321\t54321\t54321\n"));
  EXPECT_THAT(status, HasSubstr("Gid:\t54322\t54322\t54322\t54322\n"));
  EXPECT_THAT(status, HasSubstr("Groups:\t7 54323 \n"));
  EXPECT_THAT(status, HasSubstr("CapPrm:\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000\n"));
  SpawnRequest alone = AsUser({"cat", "/proc/self/status"});
  alone.command.user->groups = {};
  EXPECT_THAT(OutputOf(alone), HasSubstr("Groups:\t \n"));
}

TEST_F(SpawnUserTest, EverythingElseIsAsWithout) {
  SKIP_UNLESS_ROOT();
  EXPECT_EQ(OutputOf(AsUser({"fds"})), "0\n1\n2\n");
  EXPECT_EQ(OutputOf(AsUser({"stdin"})), "<end>");
  EXPECT_EQ(OutputOf(AsUser({"cwd"})), "/");
  EXPECT_EQ(OutputOf(AsUser({"signals"})),
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(SpawnUserTest, TheDeathSignalIsStillThere) {
  SKIP_UNLESS_ROOT();
  EXPECT_EQ(OutputOf(AsUser({"deathsig"})), absl::StrCat(SIGKILL));
  // It follows the thread that spawned.
  absl::StatusOr<ChildProcess> child;
  std::thread spawner([&] { child = Spawn(AsUser({"hang"})); });
  spawner.join();
  ASSERT_TRUE(child.ok()) << child.status();
  const ExitStatus status = WaitAndReap(*child);
  EXPECT_EQ(status.kind, ExitStatus::Kind::kSignalled);
  EXPECT_EQ(status.value, SIGKILL);
}

// Watched from another thread all the time: in a child with the host's memory
// the change of user would clear the flag.
TEST_F(SpawnUserTest, TheHostStaysDumpableAllTheTime) {
  SKIP_UNLESS_ROOT();
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 1);
  std::atomic<bool> done(false);
  std::atomic<int> odd(0);
  std::thread watcher([&] {
    while (!done) {
      if (prctl(PR_GET_DUMPABLE) != 1) ++odd;
    }
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(OutputOf(AsUser({"group"})), absl::StrCat(getpgrp()));
  }
  done = true;
  watcher.join();
  EXPECT_EQ(odd, 0);
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
}

TEST_F(SpawnUserTest, FailuresAreReportedFromACopyOfTheMemoryToo) {
  SKIP_UNLESS_ROOT();
  SpawnRequest request = AsUser({});
  request.command.working_directory = "/nonexistent";
  absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("changing to its working directory"));
  EXPECT_THAT(Details(status).hint, HasSubstr("user 54321 may enter"));

  // The user may not, though the host may.
  const std::string secret = WriteFile("secret", "", 0700);
  request.command.working_directory.clear();
  request.command.path = secret;
  status = Spawn(request).status();
  EXPECT_THAT(Evidence(status), HasSubstr("executing it"));
  EXPECT_THAT(Evidence(status), HasSubstr("it is to run as 54321:54322"));
  EXPECT_THAT(Details(status).hint, HasSubstr("give user 54321 execute"));
}

// By descriptor, directories that are closed to the user don't matter; the
// file's own mode does, and a sealed copy has the same.
TEST_F(SpawnUserTest, CheckedProgram) {
  SKIP_UNLESS_ROOT();
  for (SecureConfig::Mode mode :
       {SecureConfig::Mode::kByDescriptor, SecureConfig::Mode::kSealedCopy}) {
    SpawnRequest request = AsUser({"stdin"});
    const UniqueFd fd(open(request.command.path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string digest;
    ASSERT_EQ(HashFile(fd.get(), SecureConfig::Hash::kSha256, INT64_MAX / 2,
                       nullptr, digest),
              0);
    request.command.secure_config =
        SecureConfig{digest, SecureConfig::Hash::kSha256, mode};
    ASSERT_EQ(chmod(directory().c_str(), 0700), 0);
    EXPECT_EQ(OutputOf(request), "<end>");
    ASSERT_EQ(fchmod(fd.get(), 0750), 0);
    EXPECT_THAT(Details(Spawn(request).status()).hint,
                HasSubstr("give user 54321 execute"));
    ASSERT_EQ(fchmod(fd.get(), 0755), 0);
  }
}

TEST_F(SpawnUserTest, WithoutTheRight) {
  EXPECT_EQ(InFork([this]() -> std::string {
              if (!DropCapabilities()) return "capabilities";
              const absl::Status status = Spawn(AsUser({})).status();
              EXPECT_EQ(Details(status).reason, Reason::kSpawn);
              EXPECT_THAT(Evidence(status),
                          HasSubstr("setting its supplementary groups"));
              EXPECT_THAT(Evidence(status), HasSubstr("groups {7, 54323}"));
              EXPECT_THAT(Details(status).hint, HasSubstr("CAP_SETUID"));
              return "";
            }),
            "");
}

// In a user namespace that has the ids 0 to 9 only.
std::string InSmallNamespace(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "pipe";
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  // Only somebody outside may write the maps.
  const pid_t outside = getpid();
  const pid_t mapper = fork();
  if (mapper == 0) {
    char go = 0;
    if (read(reader.get(), &go, 1) != 1) _exit(1);
    for (const char* map : {"uid_map", "gid_map"}) {
      std::ofstream(absl::StrCat("/proc/", outside, "/", map)) << "0 0 10\n";
    }
    _exit(0);
  }
  const bool unshared = unshare(CLONE_NEWUSER) == 0;
  const bool told = write(writer.get(), unshared ? "g" : "", unshared) >= 0;
  if (!unshared) kill(mapper, SIGKILL);
  int status = 0;
  waitpid(mapper, &status, 0);
  if (!unshared || !told || status != 0) return "no user namespace";
  return body();
}

TEST_F(SpawnUserTest, UserThatDoesNotExist) {
  SKIP_UNLESS_ROOT();
  const std::string problem = InFork([this] {
    return InSmallNamespace([this]() -> std::string {
      SpawnRequest request = AsUser({});
      request.command.user = Command::User{12, 3, {}};
      absl::Status status = Spawn(request).status();
      EXPECT_EQ(Details(status).reason, Reason::kSpawn);
      EXPECT_THAT(Evidence(status), HasSubstr("changing to its user"));
      EXPECT_THAT(Evidence(status), HasSubstr("(/proc/self/uid_map)"));
      EXPECT_THAT(Details(status).hint,
                  HasSubstr("user 12 does not exist in the host's"));

      request.command.user = Command::User{1, 13, {}};
      status = Spawn(request).status();
      EXPECT_THAT(Evidence(status), HasSubstr("changing to its group"));
      EXPECT_THAT(Details(status).hint,
                  HasSubstr("group 13 does not exist in the host's"));

      request.command.user = Command::User{1, 3, {14}};
      status = Spawn(request).status();
      EXPECT_THAT(Evidence(status), HasSubstr("supplementary groups"));
      EXPECT_THAT(Details(status).hint,
                  HasSubstr("groups {14} does not exist in the host's"));
      return "";
    });
  });
  if (problem == "no user namespace") GTEST_SKIP() << problem;
  EXPECT_EQ(problem, "");
}

}  // namespace
}  // namespace goplugin::internal
