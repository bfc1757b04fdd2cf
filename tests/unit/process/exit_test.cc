#include "goplugin/internal/process/exit.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

class ExitTest : public ProcessTest {};

ExitStatus Exited(int code) { return {ExitStatus::Kind::kExited, code, false}; }

ExitStatus Signalled(int number) {
  return {ExitStatus::Kind::kSignalled, number, false};
}

SpawnRequest Shell(const std::string& script) {
  SpawnRequest request;
  request.command.path = "/bin/sh";
  request.command.args = {"-c", script};
  return request;
}

TEST_F(ExitTest, CodeOfTheExit) {
  for (int code : {0, 3, 127, 255}) {
    absl::StatusOr<ChildProcess> child =
        Spawn(ChildRequest({"exit", absl::StrCat(code)}));
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_EQ(WaitAndReap(*child), Exited(code));
  }
}

TEST_F(ExitTest, SignalOfTheDeath) {
  for (int number : {SIGKILL, SIGTERM, SIGPIPE, SIGUSR1}) {
    absl::StatusOr<ChildProcess> child =
        Spawn(ChildRequest({"die", absl::StrCat(number)}));
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_EQ(WaitAndReap(*child), Signalled(number));
  }
}

TEST_F(ExitTest, CoreDump) {
  const std::string problem = InFork([this]() -> std::string {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &limit) != 0) {
      getrlimit(RLIMIT_CORE, &limit);
      if (limit.rlim_max == 0) return "<not allowed>";
      limit.rlim_cur = limit.rlim_max;
      setrlimit(RLIMIT_CORE, &limit);
    }
    SpawnRequest request = Shell("kill -ABRT $$");
    request.command.working_directory = directory();
    absl::StatusOr<ChildProcess> child = Spawn(request);
    if (!child.ok()) return child.status().ToString();
    ExitStatus expected = Signalled(SIGABRT);
    expected.core_dumped = true;
    EXPECT_EQ(WaitAndReap(*child), expected);
    return "";
  });
  if (problem == "<not allowed>") GTEST_SKIP() << "core files are forbidden";
  EXPECT_EQ(problem, "");
}

TEST_F(ExitTest, RunningChildHasNoStatus) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"hang"}));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_FALSE(TryReap(*child).has_value());
  EXPECT_FALSE(PeekExit(*child).has_value());
  EXPECT_TRUE(SendSignal(*child, SIGKILL, /*whole_group=*/false));
  EXPECT_EQ(WaitAndReap(*child), Signalled(SIGKILL));
}

TEST_F(ExitTest, PeekExitDoesNotReap) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"exit", "5"}));
  ASSERT_TRUE(child.ok()) << child.status();
  WaitForExit(*child);
  EXPECT_EQ(PeekExit(*child), Exited(5));
  EXPECT_EQ(PeekExit(*child), Exited(5));
  EXPECT_EQ(TryReap(*child), Exited(5));
  EXPECT_TRUE(PeekExit(*child).has_value());
}

TEST_F(ExitTest, ReapedChildIsNotSignalled) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"exit", "0"}));
  ASSERT_TRUE(child.ok()) << child.status();
  WaitAndReap(*child);
  EXPECT_FALSE(SendSignal(*child, SIGKILL, /*whole_group=*/false));
  EXPECT_FALSE(SendSignal(*child, SIGKILL, /*whole_group=*/true));
}

// Linux keeps the exit code for the holder of a pidfd since 6.15.
bool KernelKeepsExitCodes() {
  struct utsname system;
  int major = 0;
  int minor = 0;
  return uname(&system) == 0 &&
         sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 15));
}

// Somebody else has taken the child's status.
void ExpectRecovered(const ChildProcess& child, const ExitStatus& expected) {
  const absl::optional<ExitStatus> status = TryReap(child);
  EXPECT_EQ(status, KernelKeepsExitCodes() ? expected : ExitStatus{});
  EXPECT_EQ(TryReap(child), status);
  EXPECT_EQ(PeekExit(child), status);
}

TEST_F(ExitTest, StatusIsRecoveredWhenTheHostIgnoresSigchld) {
  EXPECT_EQ(InFork([]() -> std::string {
              signal(SIGCHLD, SIG_IGN);
              for (int i = 0; i < 20; ++i) {
                absl::StatusOr<ChildProcess> child =
                    Spawn(ChildRequest({"exit", "7"}));
                if (!child.ok()) return child.status().ToString();
                WaitForExit(*child);
                ExpectRecovered(*child, Exited(7));
              }
              // A failed exec must not hang either.
              SpawnRequest missing;
              missing.command.path = "/nonexistent/goplugin-test";
              EXPECT_FALSE(Spawn(missing).ok());
              return "";
            }),
            "");
}

TEST_F(ExitTest, StatusIsRecoveredWhenTheHostReapsEveryChild) {
  EXPECT_EQ(InFork([]() -> std::string {
              absl::StatusOr<ChildProcess> child =
                  Spawn(ChildRequest({"die", absl::StrCat(SIGTERM)}));
              if (!child.ok()) return child.status().ToString();
              EXPECT_EQ(waitpid(-1, nullptr, 0), child->pid);
              ExpectRecovered(*child, Signalled(SIGTERM));
              EXPECT_FALSE(SendSignal(*child, SIGKILL, /*whole_group=*/false));
              return "";
            }),
            "");
}

TEST_F(ExitTest, StatusIsUnknownWhenItIsGone) {
  EXPECT_EQ(
      InFork([]() -> std::string {
        absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"exit", "7"}));
        if (!child.ok()) return child.status().ToString();
        EXPECT_EQ(waitpid(-1, nullptr, 0), child->pid);
        if (!FailSystemCall(SYS_ioctl, ENOTTY)) return "seccomp";
        EXPECT_EQ(TryReap(*child), ExitStatus{});
        return "";
      }),
      "");
}

TEST_F(ExitTest, SignalsGoByPidWherePidfdsCanNotCarryThem) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_pidfd_send_signal, EPERM)) {
                return "seccomp";
              }
              absl::StatusOr<ChildProcess> child =
                  Spawn(ChildRequest({"hang"}));
              if (!child.ok()) return child.status().ToString();
              EXPECT_TRUE(SendSignal(*child, SIGTERM, /*whole_group=*/false));
              EXPECT_EQ(WaitAndReap(*child), Signalled(SIGTERM));
              EXPECT_FALSE(SendSignal(*child, SIGTERM, /*whole_group=*/false));
              return "";
            }),
            "");
}

TEST_F(ExitTest, SharedGroupIsNeverSignalled) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"hang"}));
  ASSERT_TRUE(child.ok()) << child.status();
  // Would be the end of this test, too.
  EXPECT_TRUE(SendSignal(*child, SIGTERM, /*whole_group=*/true));
  EXPECT_EQ(WaitAndReap(*child), Signalled(SIGTERM));
}

// A leader that has ended while a child of its own holds its stdout.
absl::StatusOr<ChildProcess> LeaderThatLeft() {
  SpawnRequest request = ChildRequest({"grandchild"});
  request.command.process_group = Command::ProcessGroup::kOwn;
  absl::StatusOr<ChildProcess> child = Spawn(request);
  if (child.ok()) WaitForExit(*child);
  return child;
}

TEST_F(ExitTest, GroupIsSignalledAfterItsLeaderHasEnded) {
  absl::StatusOr<ChildProcess> child = LeaderThatLeft();
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(SendSignal(*child, SIGKILL, /*whole_group=*/true));
  EXPECT_EQ(TryReap(*child), Exited(0));
  // The end of the output: nobody is left to hold it.
  EXPECT_THAT(ReadAll(child->stdout_pipe.get()),
              ::testing::AnyOf("", "ready\n"));
}

TEST_F(ExitTest, GroupIsSignalledByPidWithoutPidfdSupportForGroups) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_pidfd_send_signal, EINVAL)) {
                return "seccomp";
              }
              absl::StatusOr<ChildProcess> child = LeaderThatLeft();
              if (!child.ok()) return child.status().ToString();
              EXPECT_TRUE(SendSignal(*child, SIGTERM, /*whole_group=*/true));
              EXPECT_EQ(TryReap(*child), Exited(0));
              EXPECT_EQ(ReadAll(child->stdout_pipe.get()).find("<timeout>"),
                        std::string::npos);
              // Reaped: the group's number is no longer ours to signal.
              EXPECT_FALSE(SendSignal(*child, SIGTERM, /*whole_group=*/true));
              return "";
            }),
            "");
}

}  // namespace
}  // namespace goplugin::internal
