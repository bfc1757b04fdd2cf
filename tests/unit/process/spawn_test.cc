#include "goplugin/internal/process/spawn.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/exit.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;

class SpawnTest : public ProcessTest {};

std::string WithNuls(const std::vector<std::string>& strings) {
  std::string joined;
  for (const std::string& text : strings) {
    joined += text;
    joined += '\0';
  }
  return joined;
}

TEST_F(SpawnTest, ArgumentsArriveByteForByte) {
  const std::vector<std::string> args = {
      "args", "", " two  words ", "$HOME `id` \"'\\*", "--x=\n\t", "\xff\xfe"};
  std::vector<std::string> all = {ChildProgram()};
  all.insert(all.end(), args.begin(), args.end());
  EXPECT_EQ(OutputOf(ChildRequest(args)), WithNuls(all));
}

TEST_F(SpawnTest, EnvironmentIsExactlyTheOneGiven) {
  SpawnRequest request = ChildRequest({"env"});
  request.environment = {"A=1", "EMPTY=", "B=x=y \n", "A_LONG=\xc3\xa4"};
  EXPECT_EQ(OutputOf(request), WithNuls(request.environment));
  request.environment = {};
  EXPECT_EQ(OutputOf(request), "");
}

TEST_F(SpawnTest, WorkingDirectoryIsTheHostsUnlessGiven) {
  char here[4096];
  ASSERT_NE(getcwd(here, sizeof(here)), nullptr);
  SpawnRequest request = ChildRequest({"cwd"});
  EXPECT_EQ(OutputOf(request), here);
  request.command.working_directory = directory();
  EXPECT_EQ(OutputOf(request), directory());
}

TEST_F(SpawnTest, RelativeProgramStartsAtTheHostsDirectory) {
  const std::string script = WriteFile("-c", "#!/bin/sh\npwd\n");
  EXPECT_EQ(InFork([this]() -> std::string {
              if (chdir(directory().c_str()) != 0) return "chdir";
              SpawnRequest request;
              request.command.path = "-c";
              EXPECT_EQ(OutputOf(request), directory() + "\n");
              request.command.working_directory = "/";
              EXPECT_EQ(OutputOf(request), "/\n");
              request.command.path = "./-c";
              EXPECT_EQ(OutputOf(request), "/\n");
              return "";
            }),
            "");
}

TEST_F(SpawnTest, ProgramIsFoundInPathOnlyWhenAsked) {
  WriteFile("goplugin-in-path", "#!/bin/sh\necho found $0 $1\n");
  WriteFile("goplugin-no-program", "", 0644);
  EXPECT_EQ(
      InFork([this] {
        setenv("PATH", (":/nonexistent:" + directory()).c_str(), 1);
        SpawnRequest request;
        request.command.path = "goplugin-in-path";
        request.command.args = {"x"};
        request.command.search_path = true;
        EXPECT_EQ(OutputOf(request),
                  absl::StrCat("found ", directory(), "/goplugin-in-path x\n"));
        request.command.search_path = false;
        EXPECT_FALSE(Spawn(request).ok());
        request.command.search_path = true;
        request.command.path = "goplugin-no-program";
        EXPECT_THAT(OutputOf(request), HasSubstr("was not found in PATH"));
        return "";
      }),
      "");
}

TEST_F(SpawnTest, StdinIsAtItsEndByDefault) {
  EXPECT_EQ(OutputOf(ChildRequest({"stdin"})), "<end>");
}

TEST_F(SpawnTest, InheritedStdinIsTheHostsOwn) {
  EXPECT_EQ(InFork([]() -> std::string {
              int ends[2];
              if (pipe2(ends, O_CLOEXEC) != 0) return "pipe";
              // Close-on-exec in the host, and inherited nevertheless.
              if (dup3(ends[0], 0, O_CLOEXEC) != 0) return "dup3";
              if (write(ends[1], "hello", 5) != 5) return "write";
              close(ends[1]);
              SpawnRequest request = ChildRequest({"stdin"});
              request.command.stdin_mode = Command::Stdin::kInherit;
              EXPECT_EQ(OutputOf(request), "hello<end>");
              return "";
            }),
            "");
}

TEST_F(SpawnTest, InheritedStdinThatIsClosedIsTheNullDevice) {
  EXPECT_EQ(InFork([] {
              close(0);
              SpawnRequest request = ChildRequest({"stdin"});
              request.command.stdin_mode = Command::Stdin::kInherit;
              EXPECT_EQ(OutputOf(request), "<end>");
              return "";
            }),
            "");
}

TEST_F(SpawnTest, OutputGoesToTheTwoPipes) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"stderr"}));
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(ReadAll(child->stderr_pipe.get()), "to stderr");
  EXPECT_EQ(ReadAll(child->stdout_pipe.get()), "");
  EXPECT_TRUE(WaitAndReap(*child).success());
}

TEST_F(SpawnTest, OnlyTheHostsEndsDoNotBlock) {
  absl::StatusOr<ChildProcess> child = Spawn(ChildRequest({"flags"}));
  ASSERT_TRUE(child.ok()) << child.status();
  for (int fd : {child->stdout_pipe.get(), child->stderr_pipe.get()}) {
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(ReadAll(child->stdout_pipe.get()), "blocks,blocks");
  WaitAndReap(*child);
}

TEST_F(SpawnTest, ProcessGroupIsTheHostsUnlessAsked) {
  SpawnRequest request = ChildRequest({"group"});
  absl::StatusOr<ChildProcess> child = Spawn(request);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_FALSE(child->leads_group);
  EXPECT_EQ(ReadAll(child->stdout_pipe.get()), absl::StrCat(getpgrp()));
  WaitAndReap(*child);

  request.command.process_group = Command::ProcessGroup::kOwn;
  child = Spawn(request);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(child->leads_group);
  EXPECT_EQ(ReadAll(child->stdout_pipe.get()), absl::StrCat(child->pid));
  WaitAndReap(*child);
}

int forks_seen = 0;

TEST_F(SpawnTest, DoesNotFork) {
  ASSERT_EQ(pthread_atfork([] { ++forks_seen; }, nullptr, nullptr), 0);
  forks_seen = 0;
  EXPECT_EQ(OutputOf(ChildRequest({"stdin"})), "<end>");
  EXPECT_EQ(forks_seen, 0);
}

TEST_F(SpawnTest, FailureLeavesNothingBehind) {
  const std::set<int> before = OpenDescriptors();
  SpawnRequest request;
  request.command.path = "/nonexistent/goplugin-test";
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Details(Spawn(request).status()).reason, Reason::kSpawn);
  }
  EXPECT_EQ(OpenDescriptors(), before);
  // No zombie either: TearDown looks.
}

TEST_F(SpawnTest, CommandsThatCanNotBeValidAreRefused) {
  SpawnRequest empty;
  absl::Status status = Spawn(empty).status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Details(status).hint, HasSubstr("set Command::path"));

  SpawnRequest request = ChildRequest({std::string("a\0b", 3)});
  status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kOptions);
  EXPECT_THAT(Details(status).what, HasSubstr("Command::args holds a NUL"));

  request = ChildRequest({});
  request.environment = {std::string("A=\0", 3)};
  EXPECT_THAT(Details(Spawn(request).status()).what,
              HasSubstr("Command::env holds a NUL"));
  request = ChildRequest({});
  request.command.path.push_back('\0');
  EXPECT_THAT(Details(Spawn(request).status()).what,
              HasSubstr("Command::path holds a NUL"));
  request = ChildRequest({});
  request.command.working_directory = std::string("/\0tmp", 5);
  EXPECT_THAT(Details(Spawn(request).status()).what,
              HasSubstr("Command::working_directory holds a NUL"));
}

}  // namespace
}  // namespace goplugin::internal
