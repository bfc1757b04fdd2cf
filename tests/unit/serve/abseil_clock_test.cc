#include "goplugin/internal/serve/abseil_clock.h"

#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"

namespace goplugin::internal {
namespace {

// Those of this process, with the one that asks.
long Threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

// A thread that was joined is on the kernel's list for a moment more.
bool ComeTo(long threads) {
  for (int i = 0; i < 5000 && Threads() != threads; ++i) usleep(1000);
  return Threads() == threads;
}

// How many stay.
long Settled() {
  long last = 0;
  while (Threads() != last) {
    last = Threads();
    usleep(20 * 1000);
  }
  return last;
}

TEST(AbseilClockTest, HasTwoThreadsWhileItLivesAndNoneAfterwards) {
  // ThreadSanitizer starts one of its own beside the first.
  std::thread([] {}).join();
  const long before = Settled();
  {
    const AbseilClock clock;
    EXPECT_EQ(Threads(), before + 2);
  }
  EXPECT_TRUE(ComeTo(before));
}

TEST(AbseilClockTest, DoesWithoutThreadsThatCantBeHad) {
  const long before = Threads();
  for (const int which : {1, 2}) {
    const testing::ArmedCall armed("pthread_create", which);
    {
      const AbseilClock clock;
      EXPECT_EQ(Threads(), before + 1);
    }
    EXPECT_TRUE(ComeTo(before));
  }
}

}  // namespace
}  // namespace goplugin::internal
