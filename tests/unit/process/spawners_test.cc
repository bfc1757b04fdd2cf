// The threads that clone: one stuck in an exec holds up nobody else, and what
// nobody wants any more is neither made nor left.

#include "goplugin/internal/process/spawners.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/process/left_children.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"
#include "tests/support/stalled_exec/stalled_exec.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::goplugin::testing::Arm;
using ::goplugin::testing::Disarm;
using ::goplugin::testing::StalledExec;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kGlance = absl::Milliseconds(1);

bool Eventually(const std::function<bool()>& holds) {
  const absl::Time end = absl::Now() + kPatience;
  while (!holds()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(kGlance);
  }
  return true;
}

size_t CountSpawners() {
  size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator(
           "/proc/self/task",
           std::filesystem::directory_options::skip_permission_denied)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    if (name == "goplugin-spawn") ++count;
  }
  return count;
}

// For a forked copy of this process, where children are not kept.
bool HaveReapedAll() {
  return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
}

// One request, and what comes of it.
class Asked {
 public:
  Asked(Spawners& spawners, SpawnRequest request) {
    auto prepared = Prepare(std::move(request));
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    prepared_ = *prepared;
    ticket_ = spawners.Spawn(prepared_, [answer = answer_](SpawnResult result) {
      MutexLock lock(answer->mutex);
      answer->result.emplace(std::move(result));
    });
  }

  absl::Status status() const { return ticket_.status(); }
  void Abandon() { (*ticket_)->Abandon(); }
  bool answered() const {
    MutexLock lock(answer_->mutex);
    return answer_->result.has_value();
  }
  bool WaitForAnswer() const {
    MutexLock lock(answer_->mutex);
    return answer_->mutex.AwaitWithTimeout(
        absl::Condition(
            +[](Answer* a) ABSL_EXCLUSIVE_LOCKS_REQUIRED(a->mutex) {
              return a->result.has_value();
            },
            answer_.get()),
        kPatience);
  }
  absl::StatusOr<ChildProcess> Finish() {
    if (!ticket_.ok()) return ticket_.status();
    if (!WaitForAnswer()) return absl::DeadlineExceededError("no answer");
    MutexLock lock(answer_->mutex);
    return FinishSpawn(prepared_, *std::move(answer_->result));
  }
  void DropAnswer() {
    MutexLock lock(answer_->mutex);
    answer_->result.reset();
  }

 private:
  struct Answer {
    absl::Mutex mutex;
    absl::optional<SpawnResult> result ABSL_GUARDED_BY(mutex);
  };

  std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
  std::shared_ptr<PreparedSpawn> prepared_;
  absl::StatusOr<std::shared_ptr<SpawnTicket>> ticket_ =
      absl::UnknownError("not asked");
};

class SpawnersTest : public ProcessTest {
 protected:
  // A program that runs alone: its exec can be made to stand still.
  std::string OwnProgram() {
    std::ifstream source(ChildProgram(), std::ios::binary);
    std::stringstream bytes;
    bytes << source.rdbuf();
    return WriteFile("program", bytes.str());
  }
  static SpawnRequest RequestFor(const std::string& program,
                                 std::vector<std::string> args) {
    SpawnRequest request = ChildRequest(std::move(args));
    request.command.path = program;
    return request;
  }
  static bool NothingIsLeft() {
    return Eventually([] { return ReapLeftChildren() == 0; });
  }
};

TEST_F(SpawnersTest, OneThreadMakesOneChildAfterTheOther) {
  Spawners spawners;
  EXPECT_EQ(CountSpawners(), 0u);
  for (int i = 0; i < 3; ++i) {
    Asked asked(spawners, ChildRequest({"stdin"}));
    EXPECT_EQ(OutputOf(asked.Finish()), "<end>");
    EXPECT_EQ(CountSpawners(), 1u);
  }
  EXPECT_EQ(spawners.Stop(kPatience), 0u);
  EXPECT_EQ(CountSpawners(), 0u);
}

TEST_F(SpawnersTest, ManyAtOnce) {
  Spawners spawners;
  std::vector<std::unique_ptr<Asked>> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(std::make_unique<Asked>(spawners, ChildRequest({"stdin"})));
  }
  for (const auto& asked : all) EXPECT_EQ(OutputOf(asked->Finish()), "<end>");
}

TEST_F(SpawnersTest, ChildrenDieWithTheThreads) {
  Spawners spawners;
  Asked asked(spawners, ChildRequest({"hang"}));
  const absl::StatusOr<ChildProcess> child = asked.Finish();
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_FALSE(PeekExit(*child).has_value());
  spawners.Stop(kPatience);
  EXPECT_EQ(WaitAndReap(*child).value, SIGKILL);
}

TEST_F(SpawnersTest, FailuresAreDiagnosedAtTheEnd) {
  Spawners spawners;
  Asked asked(spawners, RequestFor("/nonexistent/program", {}));
  const absl::Status status = asked.Finish().status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("/nonexistent\" does not exist"));
}

TEST_F(SpawnersTest, TheFirstThreadThatCantBeHadIsAnError) {
  Spawners spawners;
  {
    const goplugin::testing::ArmedCall armed("pthread_create", 1);
    Asked asked(spawners, ChildRequest({"stdin"}));
    const ErrorDetails details = Details(asked.status());
    EXPECT_EQ(details.reason, Reason::kResources) << asked.status();
    EXPECT_EQ(asked.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(details.hint, HasSubstr("pids.max"));
    EXPECT_FALSE(asked.answered());
  }
  Asked again(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(OutputOf(again.Finish()), "<end>");
}

TEST_F(SpawnersTest, AFurtherThreadThatCantBeHadIsNone) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  Asked stuck(spawners, RequestFor(program, {"stdin"}));
  ASSERT_TRUE(stalled.WaitFor(1));
  Arm("pthread_create", 1);
  Asked waits(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(Disarm(), 1);
  EXPECT_TRUE(waits.status().ok()) << waits.status();
  EXPECT_EQ(CountSpawners(), 1u);
  // With the next request there is another attempt.
  Asked next(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(OutputOf(waits.Finish()), "<end>");
  EXPECT_EQ(OutputOf(next.Finish()), "<end>");
  EXPECT_FALSE(stuck.answered());
  stalled.Release();
  EXPECT_EQ(OutputOf(stuck.Finish()), "<end>");
}

TEST_F(SpawnersTest, OthersAreMadeWhileExecsStandStill) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  std::vector<std::unique_ptr<Asked>> stuck;
  for (size_t i = 1; i < Spawners::kMaxThreads; ++i) {
    stuck.push_back(
        std::make_unique<Asked>(spawners, RequestFor(program, {"stdin"})));
    ASSERT_TRUE(stalled.WaitFor(i));
    Asked other(spawners, ChildRequest({"stdin"}));
    EXPECT_EQ(OutputOf(other.Finish()), "<end>");
  }
  for (const auto& asked : stuck) EXPECT_FALSE(asked->answered());
  stalled.Release();
  for (const auto& asked : stuck) EXPECT_EQ(OutputOf(asked->Finish()), "<end>");
}

TEST_F(SpawnersTest, OneMoreThanAllWaitsAndCanBeGivenUp) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  std::vector<std::unique_ptr<Asked>> stuck;
  for (size_t i = 0; i < Spawners::kMaxThreads; ++i) {
    stuck.push_back(
        std::make_unique<Asked>(spawners, RequestFor(program, {"stdin"})));
  }
  ASSERT_TRUE(stalled.WaitFor(Spawners::kMaxThreads));
  const std::string mark = directory() + "/mark";
  Asked given_up(spawners, RequestFor("/bin/touch", {mark}));
  Asked last(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(CountSpawners(), Spawners::kMaxThreads);
  given_up.Abandon();
  stalled.Release();
  EXPECT_EQ(OutputOf(last.Finish()), "<end>");
  for (const auto& asked : stuck) EXPECT_EQ(OutputOf(asked->Finish()), "<end>");
  EXPECT_FALSE(given_up.answered());
  EXPECT_NE(access(mark.c_str(), F_OK), 0);
}

TEST_F(SpawnersTest, AStuckChildThatIsGivenUpIsKilledAndReaped) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  Asked asked(spawners, RequestFor(program, {"stdin"}));
  ASSERT_TRUE(stalled.WaitFor(1));
  asked.Abandon();
  // Its thread is free again, though the exec was not released.
  Asked next(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(OutputOf(next.Finish()), "<end>");
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_FALSE(asked.answered());
  EXPECT_EQ(spawners.Stop(kPatience), 0u);
}

TEST_F(SpawnersTest, StopKillsWhatStandsStill) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  Asked asked(spawners, RequestFor(program, {"stdin"}));
  ASSERT_TRUE(stalled.WaitFor(1));
  EXPECT_EQ(spawners.Stop(kPatience), 0u);
  EXPECT_FALSE(asked.answered());
  EXPECT_TRUE(NothingIsLeft());
}

// Where the system has no pidfds, or a filter refuses them.
TEST_F(SpawnersTest, AStuckChildIsKilledByItsNumberToo) {
  const std::string program = OwnProgram();
  EXPECT_EQ(InFork([&]() -> std::string {
              StalledExec stalled(program);
              constexpr unsigned int kClonePidfd = 0x1000;
              if (!FailSystemCall(SYS_clone, EINVAL, kClonePidfd)) {
                return "seccomp";
              }
              Spawners spawners;
              Asked asked(spawners, RequestFor(program, {"stdin"}));
              EXPECT_TRUE(stalled.WaitFor(1));
              asked.Abandon();
              EXPECT_EQ(spawners.Stop(kPatience), 0u);
              EXPECT_FALSE(asked.answered());
              EXPECT_TRUE(Eventually(HaveReapedAll));
              return "";
            }),
            "");
}

TEST_F(SpawnersTest, AStuckChildHoldsNothingOfTheHosts) {
  const std::string program = OwnProgram();
  Spawners spawners;
  StalledExec stalled(program);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  Asked asked(spawners, RequestFor(program, {"fds"}));
  ASSERT_TRUE(stalled.WaitFor(1));
  writer.reset();
  pollfd end = {reader.get(), POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 0), 1);
  EXPECT_NE(end.revents & POLLHUP, 0);
  stalled.Release();
  EXPECT_EQ(OutputOf(asked.Finish()), "0\n1\n2\n");
}

TEST_F(SpawnersTest, AResultThatNobodyTakesLeavesNothing) {
  Spawners spawners;
  Asked asked(spawners, ChildRequest({"hang"}));
  ASSERT_TRUE(asked.WaitForAnswer());
  asked.Abandon();  // too late, and without effect
  EXPECT_TRUE(asked.answered());
  asked.DropAnswer();
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(SpawnersTest, BusyProgramsAreTriedAgain) {
  const std::string program = OwnProgram();
  Spawners spawners;
  UniqueFd writer(open(program.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer.valid());
  StalledExec stalled(program);
  Asked asked(spawners, RequestFor(program, {"stdin"}));
  ASSERT_TRUE(stalled.WaitFor(1));
  stalled.Release(/*for_good=*/false);
  // It has failed once.
  ASSERT_TRUE(stalled.WaitFor(2));
  writer.reset();
  stalled.Release();
  EXPECT_EQ(OutputOf(asked.Finish()), "<end>");
}

TEST_F(SpawnersTest, BusyProgramsAreTriedFor100MsAndHoldNobodyUp) {
  const std::string program = OwnProgram();
  Spawners spawners;
  const UniqueFd writer(open(program.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer.valid());
  const absl::Time start = absl::Now();
  Asked asked(spawners, RequestFor(program, {"stdin"}));
  Asked other(spawners, ChildRequest({"stdin"}));
  EXPECT_EQ(OutputOf(other.Finish()), "<end>");
  const absl::Status status = asked.Finish().status();
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(100));
  EXPECT_EQ(Details(status).reason, Reason::kSpawn);
  EXPECT_THAT(Evidence(status), HasSubstr("Text file busy"));
  EXPECT_THAT(Details(status).hint, HasSubstr("open for writing"));
}

TEST_F(SpawnersTest, BusyProgramsCanBeGivenUp) {
  const std::string program = OwnProgram();
  {
    Spawners spawners;
    const UniqueFd writer(open(program.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(writer.valid());
    for (int i = 0; i < 10; ++i) {
      Asked asked(spawners, RequestFor(program, {"stdin"}));
      absl::SleepFor(absl::Microseconds(i * 300));
      asked.Abandon();
      EXPECT_FALSE(asked.answered());
    }
  }
  // The writer went first: the last one may have been executed.
  EXPECT_TRUE(NothingIsLeft());
}

// The kernel lets nobody kill the child, as it does with one that hangs in a
// dead file system. Capabilities are each thread's own.
TEST_F(SpawnersTest, AThreadThatDoesNotComeBackIsLetGo) {
  const std::string program = OwnProgram();
  ASSERT_EQ(chmod(directory().c_str(), 0711), 0);
  EXPECT_EQ(InFork([&]() -> std::string {
              StalledExec stalled(program);
              auto spawners = std::make_unique<Spawners>();
              SpawnRequest request = RequestFor(program, {"hang"});
              request.command.user = Command::User{65534, 65534, {}};
              request.die_with_host = false;
              {
                Asked asked(*spawners, std::move(request));
                EXPECT_TRUE(stalled.WaitFor(1));
                if (!DropCapabilities()) return "capset";
                EXPECT_EQ(spawners->Stop(absl::Milliseconds(10)), 1u);
              }
              spawners.reset();
              EXPECT_EQ(CountSpawners(), 1u);
              stalled.Release();
              EXPECT_TRUE(Eventually([] { return CountSpawners() == 0; }));
              EXPECT_TRUE(Eventually(HaveReapedAll));
              return "";
            }),
            "");
}

}  // namespace
}  // namespace goplugin::internal
