#include "goplugin/internal/files/mark.h"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "goplugin/internal/process/held_process.h"
#include "gtest/gtest.h"
#include "tests/unit/files/files_test_support.h"

namespace goplugin::internal {
namespace {

class MarkTest : public FilesTest {
 protected:
  bool MayLive(pid_t pid, std::uint64_t start_time) {
    const Directory base = Base();
    Mark mark;
    mark.pid = pid;
    mark.start_time = start_time;
    EXPECT_EQ(WriteMark(base, mark), absl::OkStatus());
    return MarkMayLive(base);
  }
};

TEST_F(MarkTest, IsReadBack) {
  const Directory base = Base();
  EXPECT_FALSE(ReadMark(base).has_value());
  EXPECT_FALSE(MarkMayLive(base));
  Mark mark;
  mark.pid = 7;
  mark.start_time = 1234567890123;
  ASSERT_EQ(WriteMark(base, mark), absl::OkStatus());
  mark.pid = 8;
  ASSERT_EQ(WriteMark(base, mark), absl::OkStatus());
  const absl::optional<Mark> read = ReadMark(base);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->pid, 8);
  EXPECT_EQ(read->start_time, 1234567890123u);
  EXPECT_THAT(NamesIn(directory()), ::testing::ElementsAre("m"));
}

TEST_F(MarkTest, ProcessThatLives) {
  EXPECT_TRUE(MayLive(getpid(), ProcessStartTime(getpid()).value_or(0)));
  EXPECT_TRUE(MayLive(getpid(), 0));
  // Without a number nobody knows.
  EXPECT_TRUE(MayLive(0, 0));
}

TEST_F(MarkTest, ProcessThatIsGone) {
  // Its number is somebody else's by now.
  EXPECT_FALSE(MayLive(getpid(), 1));
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info = {};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_FALSE(MayLive(child, 5)) << "not waited for";
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(MayLive(child, 5));
}

TEST_F(MarkTest, TextThatSaysNothingIsAMark) {
  for (const char* text : {"", "x", "1 2", "1 2 3 4", "1 2 x"}) {
    WriteFile("m", text, 0600);
    EXPECT_TRUE(MarkMayLive(Base())) << text;
  }
}

TEST_F(MarkTest, AnotherPidNamespaceIsNotJudged) {
  WriteFile("m", "1 1 12345", 0600);
  EXPECT_TRUE(MarkMayLive(Base()));
}

}  // namespace
}  // namespace goplugin::internal
