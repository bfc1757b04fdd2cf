// What a child takes from its caller is what the caller had when it asked,
// whatever the process does afterwards and whichever thread clones.

#include "goplugin/internal/process/caller_context.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using Caller = std::shared_ptr<const CallerContext>;

class CallerContextTest : public ProcessTest {
 protected:
  // A directory with a copy of the child, where the process then is.
  std::string EnterHome() {
    std::ifstream source(ChildProgram(), std::ios::binary);
    std::stringstream bytes;
    bytes << source.rdbuf();
    WriteFile("goplugin-child", bytes.str());
    EXPECT_EQ(chdir(directory().c_str()), 0);
    return directory();
  }
};

// Of a start that goes on now, for an earlier caller.
std::string OutputFor(SpawnRequest request, const Caller& caller) {
  const auto prepared = PrepareSpawn(std::move(request), caller);
  if (!prepared.ok()) return prepared.status().ToString();
  return OutputOf(CloneHere(*prepared));
}

// A caller of its own: what it does to its thread stays there.
Caller CallerAfter(void (*change)()) {
  Caller caller;
  std::thread thread([&] {
    change();
    caller = ReadCallerContext();
  });
  thread.join();
  return caller;
}

SpawnRequest RelativeRequest(std::vector<std::string> args) {
  SpawnRequest request;
  request.command.path = "goplugin-child";
  request.command.args = std::move(args);
  return request;
}

TEST_F(CallerContextTest, TheDirectoryIsTheOneAtTheCall) {
  EXPECT_EQ(InFork([this]() -> std::string {
              const SpawnRequest absolute = ChildRequest({"cwd"});
              const std::string home = EnterHome();
              const Caller caller = ReadCallerContext();
              if (chdir("/") != 0) return "chdir";
              EXPECT_EQ(OutputFor(absolute, caller), home);
              EXPECT_EQ(OutputFor(RelativeRequest({"cwd"}), caller), home);
              SpawnRequest request = RelativeRequest({"cwd"});
              request.command.working_directory = "/usr";
              EXPECT_EQ(OutputFor(request, caller), "/usr");
              request.command.working_directory = ".";
              EXPECT_EQ(OutputFor(request, caller), home);
              return "";
            }),
            "");
}

TEST_F(CallerContextTest, ACheckedProgramIsTheCallersToo) {
  EXPECT_EQ(InFork([this]() -> std::string {
              EnterHome();
              const Caller caller = ReadCallerContext();
              if (chdir("/") != 0) return "chdir";
              SpawnRequest request = RelativeRequest({"stdin"});
              request.command.secure_config = SecureConfig{};
              request.command.secure_config->checksum = std::string(64, '0');
              const auto prepared = PrepareSpawn(request, caller);
              // It was found, and is another one.
              EXPECT_EQ(Details(prepared.status()).reason, Reason::kChecksum);
              return "";
            }),
            "");
}

TEST_F(CallerContextTest, ErrorsNameTheCallersDirectoryAndPath) {
  EXPECT_EQ(InFork([this]() -> std::string {
              const std::string home = EnterHome();
              setenv("PATH", home.c_str(), 1);
              const Caller caller = ReadCallerContext();
              if (chdir("/") != 0) return "chdir";
              setenv("PATH", "/nonexistent", 1);
              SpawnRequest request;
              request.command.path = "absent/program";
              EXPECT_THAT(OutputFor(request, caller),
                          HasSubstr(absl::StrCat(home, "/absent")));
              request.command.path = "absent";
              request.command.search_path = true;
              EXPECT_THAT(OutputFor(request, caller), HasSubstr(home));
              return "";
            }),
            "");
}

TEST_F(CallerContextTest, ADirectoryThatWasMovedIsStillTheSame) {
  EXPECT_EQ(InFork([this]() -> std::string {
              const std::string home = EnterHome();
              const std::string moved = absl::StrCat(home, "-moved");
              const Caller caller = ReadCallerContext();
              if (rename(home.c_str(), moved.c_str()) != 0) return "rename";
              EXPECT_EQ(OutputFor(RelativeRequest({"cwd"}), caller), moved);
              if (rename(moved.c_str(), home.c_str()) != 0) return "rename";
              return "";
            }),
            "");
}

TEST_F(CallerContextTest, ADirectoryThatIsGoneIsEnteredAllTheSame) {
  EXPECT_EQ(
      InFork([this]() -> std::string {
        const SpawnRequest request = ChildRequest({"link", "/proc/self/cwd"});
        const std::string gone = directory() + "/gone";
        if (mkdir(gone.c_str(), 0700) != 0) return "mkdir";
        if (chdir(gone.c_str()) != 0) return "chdir";
        const Caller caller = ReadCallerContext();
        if (chdir("/") != 0 || rmdir(gone.c_str()) != 0) return "rmdir";
        EXPECT_EQ(OutputFor(request, caller), gone + " (deleted)");
        return "";
      }),
      "");
}

TEST_F(CallerContextTest, PathIsTheOneAtTheCall) {
  EXPECT_EQ(InFork([this]() -> std::string {
              const std::string home = EnterHome();
              setenv("PATH", home.c_str(), 1);
              const Caller caller = ReadCallerContext();
              setenv("PATH", "/nonexistent", 1);
              SpawnRequest request = RelativeRequest({"stdin"});
              request.command.search_path = true;
              EXPECT_EQ(OutputFor(request, caller), "<end>");
              unsetenv("PATH");
              EXPECT_EQ(CallersVariable(*caller, "PATH"), home);
              EXPECT_EQ(CallersVariable(*ReadCallerContext(), "PATH"),
                        absl::nullopt);
              return "";
            }),
            "");
}

TEST_F(CallerContextTest, ProcessorsAreTheThreads) {
  const Caller caller = CallerAfter([] {
    cpu_set_t own;
    ASSERT_EQ(sched_getaffinity(0, sizeof own, &own), 0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &own)) --last;
    CPU_ZERO(&own);
    CPU_SET(last, &own);
    ASSERT_EQ(sched_setaffinity(0, sizeof own, &own), 0);
  });
  std::string expected;
  std::thread thread([&] {
    cpu_set_t all;
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &all)) --last;
    expected = absl::StrCat("Cpus_allowed_list:\t", last, "\n");
  });
  thread.join();
  EXPECT_THAT(OutputFor(ChildRequest({"cat", "/proc/self/status"}), caller),
              HasSubstr(expected));
  // And nobody else's: this thread has kept its own.
  EXPECT_EQ(ReadAffinity(), ReadCallerContext()->affinity);
}

// An ordinary user's process that was started as SCHED_IDLE stays so, whatever
// its niceness.
bool MayLeaveIdle() {
  bool may = false;
  std::thread([&] {
    const sched_param none = {};
    may = sched_setscheduler(0, SCHED_BATCH, &none) == 0;
  }).join();
  return may;
}

TEST_F(CallerContextTest, SchedulingIsTheThreads) {
  if (!MayLeaveIdle()) GTEST_SKIP() << "this process is SCHED_IDLE";
  const Caller caller = CallerAfter([] {
    const sched_param none = {};
    ASSERT_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    ASSERT_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
  });
  EXPECT_EQ(OutputFor(ChildRequest({"policy"}), caller),
            absl::StrCat(SCHED_BATCH));
  EXPECT_EQ(OutputFor(ChildRequest({"nice"}), caller), "5");
  SpawnRequest request = ChildRequest({"nice"});
  request.command.nice = 2;
  EXPECT_EQ(OutputFor(request, caller), "7");
  EXPECT_EQ(OutputOf(ChildRequest({"policy"})), "0");
  EXPECT_EQ(OutputOf(ChildRequest({"nice"})),
            absl::StrCat(getpriority(PRIO_PROCESS, 0)));
}

// As at a fork.
TEST_F(CallerContextTest, WhatIsResetAtAForkIsReset) {
  if (!MayLeaveIdle()) GTEST_SKIP() << "this process is SCHED_IDLE";
  const Caller caller = CallerAfter([] {
    const sched_param none = {};
    ASSERT_EQ(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none),
              0);
  });
  ASSERT_TRUE(caller->scheduling.has_value());
  EXPECT_EQ(caller->scheduling->flags, 0u);
  EXPECT_EQ(OutputFor(ChildRequest({"policy"}), caller),
            absl::StrCat(SCHED_BATCH));
}

// An ordinary user's child keeps what the spawner has: it is no error.
TEST_F(CallerContextTest, WhatTheKernelRefusesIsNoError) {
  if (!MayLeaveIdle()) GTEST_SKIP() << "this process is SCHED_IDLE";
  const Caller caller = ReadCallerContext();
  EXPECT_EQ(
      InFork([&]() -> std::string {
        const struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_NICE, &none) != 0 ||
            setpriority(PRIO_PROCESS, 0, 7) != 0 || !DropCapabilities()) {
          return "can't";
        }
        EXPECT_EQ(OutputFor(ChildRequest({"nice"}), caller), "7");
        const auto prepared = PrepareSpawn(ChildRequest({"nice"}), caller);
        if (!prepared.ok()) return "prepare";
        const auto child = CloneHere(*prepared);
        if (!child.ok()) return child.status().ToString();
        EXPECT_THAT(child->note, HasSubstr("scheduling policy and nice value"));
        OutputOf(child);
        return "";
      }),
      "");
}

TEST_F(CallerContextTest, ProcessorsThatAreNotThereAreNoError) {
  auto caller = std::make_shared<CallerContext>();
  caller->environment = ReadCallerContext()->environment;
  caller->affinity.assign(8, 0);
  const auto prepared = PrepareSpawn(ChildRequest({"nice"}), caller);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto child = CloneHere(*prepared);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_THAT(child->note, HasSubstr("its caller's processors"));
  OutputOf(child);
}

// A deadline is the thread's own.
TEST_F(CallerContextTest, ADeadlineIsNotHandedOnAndIsTold) {
  bool allowed = false;
  Caller caller;
  std::thread thread([&] {
    Scheduling deadline;
    deadline.policy = 6;  // SCHED_DEADLINE
    deadline.runtime = 1000000;
    deadline.deadline = 10000000;
    deadline.period = 10000000;
    allowed = SetScheduling(deadline);
    caller = ReadCallerContext();
  });
  thread.join();
  if (!allowed) GTEST_SKIP() << "this process may not use SCHED_DEADLINE";
  const auto prepared = PrepareSpawn(ChildRequest({"policy"}), caller);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto child = CloneHere(*prepared);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_THAT(child->note, HasSubstr("SCHED_DEADLINE"));
  EXPECT_EQ(OutputOf(child), "0");
}

}  // namespace
}  // namespace goplugin::internal
