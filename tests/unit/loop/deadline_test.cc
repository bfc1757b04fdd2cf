#include "goplugin/internal/loop/deadline.h"

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using Point = std::chrono::system_clock::time_point;

TEST(DeadlineTest, IsSoLongFromNow) {
  for (const absl::Duration wait :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Seconds(5),
        absl::Hours(24 * 365 * 100)}) {
    const absl::Time before = absl::Now();
    const absl::Time deadline = absl::FromChrono(DeadlineAfter(wait));
    EXPECT_GE(deadline, absl::Time(before + wait) - absl::Microseconds(1));
    EXPECT_LE(deadline, absl::Now() + wait);
  }
}

TEST(DeadlineTest, WhatNoClockCountsIsNever) {
  for (const absl::Duration wait :
       {absl::InfiniteDuration(), absl::Hours(24) * 365 * 300,
        absl::Seconds(9223372036854775807)}) {
    EXPECT_EQ(DeadlineAfter(wait), Point::max()) << wait;
  }
}

TEST(DeadlineTest, WhatIsNegativeHasPassed) {
  for (const absl::Duration wait :
       {-absl::Nanoseconds(1), -absl::Seconds(5), -absl::InfiniteDuration(),
        absl::Seconds(-9223372036854775807)}) {
    const absl::Time before = absl::Now();
    const absl::Time deadline = absl::FromChrono(DeadlineAfter(wait));
    EXPECT_GE(deadline, before - absl::Seconds(2)) << wait;
    EXPECT_LT(deadline, absl::Now() - absl::Milliseconds(900)) << wait;
  }
}

}  // namespace
}  // namespace goplugin::internal
