#include "goplugin/internal/supervise/backoff.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {
namespace {

RestartPolicy Plain() {
  RestartPolicy policy;
  policy.initial = absl::Milliseconds(100);
  policy.max = absl::Milliseconds(500);
  policy.jitter = 0;
  return policy;
}

TEST(BackoffTest, NoneFirstThenDoubledUpToTheLongest) {
  Backoff backoff;
  const int expected[] = {0, 100, 200, 400, 500, 500};
  for (const int wait : expected) {
    EXPECT_EQ(backoff.Next(Plain(), 0.5), absl::Milliseconds(wait));
  }
}

TEST(BackoffTest, BeginsAnewAfterAReset) {
  Backoff backoff;
  backoff.Next(Plain(), 0.5);
  backoff.Next(Plain(), 0.5);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(Plain(), 0.5), absl::ZeroDuration());
  EXPECT_EQ(backoff.Next(Plain(), 0.5), absl::Milliseconds(100));
}

TEST(BackoffTest, JitterIsAShareOfTheWaitEitherWay) {
  RestartPolicy policy = Plain();
  policy.jitter = 0.2;
  const struct {
    double random;
    double wait;
  } rows[] = {{0, 80}, {0.25, 90}, {0.5, 100}, {1, 120}};
  for (const auto& row : rows) {
    Backoff backoff;
    EXPECT_EQ(backoff.Next(policy, row.random), absl::ZeroDuration());
    EXPECT_EQ(backoff.Next(policy, row.random), absl::Milliseconds(row.wait))
        << row.random;
    // It does not add up.
    EXPECT_EQ(backoff.Next(policy, row.random),
              absl::Milliseconds(2 * row.wait))
        << row.random;
  }
}

TEST(BackoffTest, AllOfTheWaitMayBeJitter) {
  RestartPolicy policy = Plain();
  policy.jitter = 1;
  Backoff backoff;
  backoff.Next(policy, 0);
  EXPECT_EQ(backoff.Next(policy, 0), absl::ZeroDuration());
  EXPECT_EQ(backoff.Next(policy, 1), absl::Milliseconds(400));
}

TEST(BackoffTest, NoWaitsAtAll) {
  RestartPolicy policy = Plain();
  policy.initial = policy.max = absl::ZeroDuration();
  Backoff backoff;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(backoff.Next(policy, 1), absl::ZeroDuration());
  }
}

TEST(BackoffTest, NoLongestWait) {
  RestartPolicy policy = Plain();
  policy.max = absl::InfiniteDuration();
  Backoff backoff;
  absl::Duration last;
  for (int i = 0; i < 200; ++i) {
    const absl::Duration wait = backoff.Next(policy, 0.5);
    EXPECT_GE(wait, last);
    last = wait;
  }
  EXPECT_GT(last, absl::Hours(24));
}

}  // namespace
}  // namespace goplugin::internal
