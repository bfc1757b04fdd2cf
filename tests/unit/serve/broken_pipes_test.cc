#include "goplugin/internal/serve/broken_pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

void (*Disposition())(int) {
  struct sigaction action = {};
  EXPECT_EQ(sigaction(SIGPIPE, nullptr, &action), 0);
  return action.sa_handler;
}

void OwnHandler(int /*signal*/) {}

TEST(BrokenPipes, AWriteThatNobodyReadsIsAnError) {
  signal(SIGPIPE, SIG_DFL);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  {
    const BrokenPipes survived;
    EXPECT_EQ(write(ends[1], "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  EXPECT_EQ(Disposition(), SIG_DFL);
  close(ends[1]);
}

TEST(BrokenPipes, ProgramsThatAreStartedHaveTheDefault) {
  signal(SIGPIPE, SIG_DFL);
  const BrokenPipes survived;
  // A shell tells what it was started with: bit 12 of what it ignores.
  EXPECT_EQ(std::system("test $((0x$(sed -n 's/^SigIgn:\t//p' "
                        "/proc/self/status) & 0x1000)) = 0"),
            0);
}

TEST(BrokenPipes, WhatIsNotTheDefaultStays) {
  for (const auto handler : {SIG_IGN, OwnHandler}) {
    signal(SIGPIPE, handler);
    {
      const BrokenPipes survived;
      EXPECT_EQ(Disposition(), handler);
    }
    EXPECT_EQ(Disposition(), handler);
  }
  signal(SIGPIPE, SIG_DFL);
}

TEST(BrokenPipes, AHandlerThatIsSetMeanwhileStays) {
  signal(SIGPIPE, SIG_DFL);
  {
    const BrokenPipes survived;
    signal(SIGPIPE, OwnHandler);
  }
  EXPECT_EQ(Disposition(), OwnHandler);
  signal(SIGPIPE, SIG_DFL);
}

// A second Serve, which is refused.
TEST(BrokenPipes, TheFirstPutsItBack) {
  signal(SIGPIPE, SIG_DFL);
  {
    const BrokenPipes first;
    const auto handler = Disposition();
    { const BrokenPipes second; }
    EXPECT_EQ(Disposition(), handler);
    EXPECT_NE(handler, SIG_DFL);
  }
  EXPECT_EQ(Disposition(), SIG_DFL);
}

}  // namespace
}  // namespace goplugin::internal
