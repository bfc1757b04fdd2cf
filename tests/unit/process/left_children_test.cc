// Children that nobody watches any more: none stays in the process table.

#include "goplugin/internal/process/left_children.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/internal/process/exit.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

constexpr int kPatienceMs = 30000;

bool IsReadable(const LeftChildrenWatch& watch, int timeout_ms) {
  pollfd wait = {watch.descriptor(), POLLIN, 0};
  return poll(&wait, 1, timeout_ms) == 1;
}

bool IsInTheProcessTable(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info,
                WEXITED | WNOHANG | WNOWAIT) == 0;
}

class LeftChildrenTest : public ProcessTest {
 protected:
  static ChildProcess Start(std::vector<std::string> args) {
    absl::StatusOr<ChildProcess> child = Spawn(ChildRequest(std::move(args)));
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }
  // By what a loop does.
  static void ReapByWatch(const LeftChildrenWatch& watch, pid_t pid) {
    while (IsInTheProcessTable(pid)) {
      ASSERT_TRUE(IsReadable(watch, kPatienceMs));
      ReapLeftChildren();
    }
  }
};

TEST_F(LeftChildrenTest, AnEndedChildIsKilledAndReaped) {
  const LeftChildrenWatch watch;
  ChildProcess child = Start({"hang"});
  const pid_t pid = child.pid;
  EndChild(std::move(child));
  ReapByWatch(watch, pid);
  EXPECT_EQ(ReapLeftChildren(), 0u);
  EXPECT_FALSE(IsReadable(watch, 0));
}

// Without anybody who watches.
TEST_F(LeftChildrenTest, KilledOnesAreAwaited) {
  for (int i = 0; i < 20; ++i) {
    ChildProcess child = Start({"hang"});
    const pid_t pid = child.pid;
    EndChild(std::move(child));
    AwaitKilledChildren(absl::Milliseconds(kPatienceMs));
    ASSERT_FALSE(IsInTheProcessTable(pid)) << i;
  }
}

TEST_F(LeftChildrenTest, DetachedOnesAreNotAwaited) {
  ChildProcess child = Start({"hang"});
  const pid_t pid = child.pid;
  KeepDetached(std::move(child));
  AwaitKilledChildren(absl::InfiniteDuration());
  ASSERT_TRUE(IsInTheProcessTable(pid));
  kill(pid, SIGKILL);
  ReapByWatch(LeftChildrenWatch(), pid);
}

TEST_F(LeftChildrenTest, ItsGroupEndsWithIt) {
  SpawnRequest request = ChildRequest({"grandchild"});
  request.command.process_group = Command::ProcessGroup::kOwn;
  absl::StatusOr<ChildProcess> child = Spawn(request);
  ASSERT_TRUE(child.ok()) << child.status();
  WaitForExit(*child);
  const UniqueFd output(std::move(child->stdout_pipe));
  EndChild(*std::move(child));
  // The grandchild has the other end.
  EXPECT_EQ(ReadAll(output.get()).find("<timeout>"), std::string::npos);
}

TEST_F(LeftChildrenTest, ADetachedOneLivesUntilItEnds) {
  const LeftChildrenWatch watch;
  ChildProcess child = Start({"hang"});
  const pid_t pid = child.pid;
  KeepDetached(std::move(child));
  // It is none that was killed.
  EXPECT_EQ(ReapLeftChildren(), 0u);
  EXPECT_FALSE(IsReadable(watch, 0));
  ASSERT_TRUE(IsInTheProcessTable(pid));
  kill(pid, SIGTERM);
  ReapByWatch(watch, pid);
}

TEST_F(LeftChildrenTest, EveryWatchIsTold) {
  const LeftChildrenWatch before;
  ChildProcess child = Start({"hang"});
  const pid_t pid = child.pid;
  KeepDetached(std::move(child));
  const LeftChildrenWatch after;
  kill(pid, SIGKILL);
  EXPECT_TRUE(IsReadable(before, kPatienceMs));
  EXPECT_TRUE(IsReadable(after, kPatienceMs));
  ReapByWatch(after, pid);
  EXPECT_FALSE(IsReadable(before, 0));
  EXPECT_FALSE(IsReadable(after, 0));
}

TEST_F(LeftChildrenTest, WithoutAWatchTheNextUseReaps) {
  ChildProcess child = Start({"hang"});
  const pid_t pid = child.pid;
  EndChild(std::move(child));
  while (ReapLeftChildren() > 0) usleep(1000);
  EXPECT_FALSE(IsInTheProcessTable(pid));
}

}  // namespace
}  // namespace goplugin::internal
