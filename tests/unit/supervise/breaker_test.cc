#include "goplugin/internal/supervise/breaker.h"

#include <gtest/gtest.h>

#include <climits>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {
namespace {

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

RestartPolicy Policy() {
  RestartPolicy policy;
  policy.intensity = 3;
  policy.period = absl::Seconds(60);
  policy.cool_down = absl::Seconds(300);
  return policy;
}

void Fail(Breaker& breaker, double when, bool unhealable = false,
          bool probe = false) {
  breaker.OnFailure(At(when), unhealable, probe);
}

TEST(BreakerTest, OpensAboveTheIntensityAndNotAtIt) {
  Breaker breaker(Policy());
  for (int i = 0; i < 3; ++i) Fail(breaker, i);
  EXPECT_FALSE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), absl::InfiniteDuration());
  Fail(breaker, 3);
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), At(303));
}

TEST(BreakerTest, AFailureIsForgottenAfterThePeriodAndNotBefore) {
  Breaker forgets(Policy());
  for (const double when : {0.0, 1.0, 2.0, 60.0}) Fail(forgets, when);
  EXPECT_FALSE(forgets.open());
  Breaker counts(Policy());
  for (const double when : {0.0, 1.0, 2.0, 59.999}) Fail(counts, when);
  EXPECT_TRUE(counts.open());
}

TEST(BreakerTest, AnIntensityOfZeroForgivesNothing) {
  RestartPolicy policy = Policy();
  policy.intensity = 0;
  Breaker breaker(policy);
  Fail(breaker, 0);
  EXPECT_TRUE(breaker.open());
}

TEST(BreakerTest, TheGreatestIntensityForgivesAll) {
  RestartPolicy policy = Policy();
  policy.intensity = INT_MAX;
  policy.period = absl::InfiniteDuration();
  Breaker breaker(policy);
  for (int i = 0; i < 1000; ++i) Fail(breaker, 0);
  EXPECT_FALSE(breaker.open());
}

TEST(BreakerTest, WithoutAPeriodNothingIsForgotten) {
  RestartPolicy policy = Policy();
  policy.period = absl::InfiniteDuration();
  Breaker breaker(policy);
  for (int i = 0; i < 4; ++i) Fail(breaker, i * 1e6);
  EXPECT_TRUE(breaker.open());
}

TEST(BreakerTest, WhatNoRetryHealsOpensItAtOnce) {
  Breaker breaker(Policy());
  Fail(breaker, 7, /*unhealable=*/true);
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), At(307));
}

TEST(BreakerTest, WithoutACoolDownThereIsNoProbe) {
  RestartPolicy policy = Policy();
  policy.cool_down = absl::InfiniteDuration();
  Breaker breaker(policy);
  Fail(breaker, 0, /*unhealable=*/true);
  EXPECT_EQ(breaker.probe_at(), absl::InfiniteDuration());
}

TEST(BreakerTest, AShortCoolDownDoesNotOutrunThePeriod) {
  RestartPolicy policy = Policy();
  policy.cool_down = absl::Seconds(1);
  Breaker breaker(policy);
  for (const double when : {0.0, 10.0, 20.0, 30.0}) Fail(breaker, when);
  EXPECT_EQ(breaker.probe_at(), At(60));
}

TEST(BreakerTest, AProbeThatGoesWellClosesIt) {
  Breaker breaker(Policy());
  Fail(breaker, 0, /*unhealable=*/true);
  breaker.BeginProbe();
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.probe_at(), absl::InfiniteDuration());
  breaker.Close();
  EXPECT_FALSE(breaker.open());
}

TEST(BreakerTest, AProbeThatFailsKeepsItOpenForAsLongAgain) {
  Breaker breaker(Policy());
  Fail(breaker, 0, /*unhealable=*/true);
  breaker.BeginProbe();
  Fail(breaker, 310, /*unhealable=*/false, /*probe=*/true);
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.probing());
  EXPECT_EQ(breaker.probe_at(), At(610));
}

TEST(BreakerTest, AnothersFailureDoesNotEndTheProbe) {
  Breaker breaker(Policy());
  Fail(breaker, 0, /*unhealable=*/true);
  breaker.BeginProbe();
  Fail(breaker, 310);
  EXPECT_TRUE(breaker.probing());
}

TEST(BreakerTest, FailuresOfOthersDoNotPutOffTheProbe) {
  Breaker breaker(Policy());
  Fail(breaker, 0, /*unhealable=*/true);
  Fail(breaker, 100);
  EXPECT_EQ(breaker.probe_at(), At(300));
}

TEST(BreakerTest, AResetForgets) {
  Breaker breaker(Policy());
  for (int i = 0; i < 4; ++i) Fail(breaker, 0);
  breaker.Reset();
  EXPECT_FALSE(breaker.open());
  for (int i = 0; i < 3; ++i) Fail(breaker, 1);
  EXPECT_FALSE(breaker.open());
}

}  // namespace
}  // namespace goplugin::internal
