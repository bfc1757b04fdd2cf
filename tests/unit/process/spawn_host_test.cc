// Spawn in hosts of all kinds: what the host has open, blocked, ignored or
// limited reaches neither the child nor the outcome, and stays as it is.

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class SpawnHostTest : public ProcessTest {};

constexpr char kOnlyStdio[] = "0\n1\n2\n";
constexpr unsigned int kClonePidfd = 0x1000;

TEST_F(SpawnHostTest, NoDescriptorOfTheHostIsInherited) {
  std::vector<UniqueFd> leaky;
  leaky.reserve(200);
  for (int i = 0; i < 200; ++i) leaky.emplace_back(open("/dev/null", O_RDONLY));
  UniqueFd far(fcntl(0, F_DUPFD, 900));
  EXPECT_EQ(OutputOf(ChildRequest({"fds"})), kOnlyStdio);
}

TEST_F(SpawnHostTest, DescriptorsAreMarkedWithoutCloseRange) {
  EXPECT_EQ(InFork([]() -> std::string {
              struct rlimit limit;
              getrlimit(RLIMIT_NOFILE, &limit);
              limit.rlim_cur = limit.rlim_max =
                  std::max<rlim_t>(limit.rlim_max, 1000000);
              if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
                getrlimit(RLIMIT_NOFILE, &limit);  // not root: what there is
              }
              const int last = static_cast<int>(limit.rlim_cur) - 1;
              // More names than one read of the directory returns.
              for (int i = 0; i < 300; ++i) {
                if (open("/dev/null", O_RDONLY) < 0) return "open";
              }
              if (dup2(0, last) != last) return "dup2";
              EXPECT_EQ(OutputOf(ChildRequest({"fds"})), kOnlyStdio);
              if (!FailSystemCall(SYS_close_range, ENOSYS)) return "seccomp";
              EXPECT_EQ(OutputOf(ChildRequest({"fds"})), kOnlyStdio);
              return "";
            }),
            "");
}

TEST_F(SpawnHostTest, NeverInheritsDescriptorsForWantOfAWayToCloseThem) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_close_range, EPERM) ||
                  !FailSystemCall(SYS_getdents64, EPERM)) {
                return "seccomp";
              }
              const absl::Status status = Spawn(ChildRequest({})).status();
              EXPECT_EQ(Details(status).reason, Reason::kSpawn);
              EXPECT_THAT(Evidence(status), HasSubstr("closing the host's"));
              EXPECT_THAT(Details(status).hint, HasSubstr("close_range"));
              return "";
            }),
            "");
}

std::string Mask() {
  std::ifstream status("/proc/thread-self/status");
  std::string found;
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "SigBlk") || absl::StartsWith(line, "SigIgn") ||
        absl::StartsWith(line, "SigCgt")) {
      absl::StrAppend(&found, line, "\n");
    }
  }
  return found;
}

TEST_F(SpawnHostTest, SignalsAreAtTheirDefaultsInTheChildOnly) {
  EXPECT_EQ(InFork([]() -> std::string {
              signal(SIGPIPE, SIG_IGN);
              signal(SIGINT, SIG_IGN);
              signal(SIGCHLD, SIG_DFL);
              signal(SIGRTMAX, SIG_IGN);
              signal(SIGUSR1, [](int) { _exit(66); });
              sigset_t mask;
              sigemptyset(&mask);
              for (int number : {SIGTERM, SIGUSR2, SIGRTMIN, SIGCHLD}) {
                sigaddset(&mask, number);
              }
              sigprocmask(SIG_SETMASK, &mask, nullptr);
              const std::string before = Mask();
              const std::string seen = OutputOf(ChildRequest({"signals"}));
              EXPECT_EQ(seen,
                        "SigBlk:\t0000000000000000\n"
                        "SigIgn:\t0000000000000000\n");
              EXPECT_THAT(before, HasSubstr("SigBlk"));
              EXPECT_EQ(Mask(), before);
              return "";
            }),
            "");
}

TEST_F(SpawnHostTest, DeathSignalIsSetUnlessThePluginOutlivesTheHost) {
  SpawnRequest request = ChildRequest({"deathsig"});
  EXPECT_EQ(OutputOf(request), absl::StrCat(SIGKILL));
  request.die_with_host = false;
  EXPECT_EQ(OutputOf(request), "0");
}

TEST_F(SpawnHostTest, ChildDiesWhenTheHostIsKilled) {
  // Orphans come to us, so that we can see how they died.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t host = fork();
  if (host == 0) {
    absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"hang"}));
    const pid_t pid = child.ok() ? child->pid : -1;
    if (write(writer.get(), &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    while (true) pause();
  }
  pid_t orphan = -1;
  ASSERT_EQ(read(reader.get(), &orphan, sizeof(orphan)),
            static_cast<ssize_t>(sizeof(orphan)));
  kill(host, SIGKILL);
  EXPECT_EQ(waitpid(host, nullptr, 0), host);
  ASSERT_GT(orphan, 0);
  int status = 0;
  EXPECT_EQ(waitpid(orphan, &status, 0), orphan);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST_F(SpawnHostTest, HostWithoutStdio) {
  EXPECT_EQ(InFork([]() -> std::string {
              for (int fd = 0; fd < 3; ++fd) close(fd);
              const std::set<int> before = OpenDescriptors();
              absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"fds"}));
              if (!child.ok()) return child.status().ToString();
              EXPECT_GT(child->stdout_pipe.get(), 2);
              EXPECT_GT(child->stderr_pipe.get(), 2);
              EXPECT_TRUE(!child->pidfd.valid() || child->pidfd.get() > 2);
              for (int fd = 0; fd < 3; ++fd) {
                EXPECT_EQ(fcntl(fd, F_GETFD), -1) << fd;
              }
              EXPECT_EQ(ReadAll(child->stdout_pipe.get()), kOnlyStdio);
              EXPECT_TRUE(WaitAndReap(*child).success());
              *child = ChildProcess();
              EXPECT_EQ(OpenDescriptors(), before);
              return "";
            }),
            "");
}

TEST_F(SpawnHostTest, HostWithoutStdoutAndStderrGetsBothOfThePluginsApart) {
  EXPECT_EQ(InFork([]() -> std::string {
              close(1);
              close(2);
              absl::StatusOr<ChildProcess> child =
                  Spawn(ChildRequest({"stderr"}));
              if (!child.ok()) return child.status().ToString();
              EXPECT_EQ(ReadAll(child->stdout_pipe.get()), "");
              EXPECT_EQ(ReadAll(child->stderr_pipe.get()), "to stderr");
              WaitAndReap(*child);
              return "";
            }),
            "");
}

TEST_F(SpawnHostTest, WithoutPidfdsTheRestWorks) {
  EXPECT_EQ(InFork([]() -> std::string {
              if (!FailSystemCall(SYS_clone, EINVAL, kClonePidfd)) {
                return "seccomp";
              }
              SpawnRequest request = ChildRequest({"hang"});
              request.command.process_group = Command::ProcessGroup::kOwn;
              absl::StatusOr<ChildProcess> child = Spawn(request);
              if (!child.ok()) return child.status().ToString();
              EXPECT_FALSE(child->pidfd.valid());
              EXPECT_FALSE(TryReap(*child).has_value());
              EXPECT_FALSE(PeekExit(*child).has_value());
              EXPECT_TRUE(SendSignal(*child, SIGTERM, /*whole_group=*/true));
              const ExitStatus status = WaitAndReap(*child);
              EXPECT_EQ(status.kind, ExitStatus::Kind::kSignalled);
              EXPECT_EQ(status.value, SIGTERM);
              EXPECT_TRUE(PeekExit(*child).has_value());
              // The number may be another process's by now.
              EXPECT_FALSE(SendSignal(*child, SIGKILL, /*whole_group=*/false));
              EXPECT_FALSE(SendSignal(*child, SIGKILL, /*whole_group=*/true));
              EXPECT_EQ(TryReap(*child)->kind, ExitStatus::Kind::kUnknown);
              return "";
            }),
            "");
}

TEST_F(SpawnHostTest, ConcurrentSpawnsDoNotMixTheirPipes) {
  std::vector<std::thread> threads;
  std::vector<std::string> problems(4);
  threads.reserve(problems.size());
  for (std::string& problem : problems) {
    threads.emplace_back([&problem] {
      for (int i = 0; i < 25; ++i) {
        const std::string seen = OutputOf(ChildRequest({"fds"}));
        if (seen != kOnlyStdio) problem = seen;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) EXPECT_EQ(problem, "");
}

}  // namespace
}  // namespace goplugin::internal
