#include "goplugin/internal/supervise/health_judge.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {
namespace {

using Verdict = HealthJudge::Verdict;

// Asks every 10 s and waits for 2.
class HealthJudgeTest : public ::testing::Test {
 protected:
  HealthJudgeTest() { judge_.StartAnew(now_, activity_); }

  Verdict Answer(HealthAnswer answer, double after) {
    now_ += absl::Seconds(10);
    judge_.Begin(now_);
    now_ += absl::Seconds(after);
    return judge_.Judge(policy_, now_, answer, activity_);
  }
  Verdict Miss(double after = 2) { return Answer(HealthAnswer::kNone, after); }

  HealthPolicy policy_;
  absl::Duration now_ = absl::Seconds(100);
  Activity activity_;
  HealthJudge judge_;
};

TEST_F(HealthJudgeTest, SaysWhatThePluginSays) {
  EXPECT_EQ(Answer(HealthAnswer::kServing, 0.1), Verdict::kServing);
  EXPECT_EQ(Answer(HealthAnswer::kNotServing, 0.1), Verdict::kNotServing);
}

TEST_F(HealthJudgeTest, HangsAfterSoManyMissesInARowAndNotBefore) {
  EXPECT_EQ(Miss(), Verdict::kUndecided);
  EXPECT_EQ(Miss(), Verdict::kUndecided);
  EXPECT_EQ(Miss(), Verdict::kHung);
  EXPECT_EQ(judge_.missed(), 3);
}

TEST_F(HealthJudgeTest, OneMissMayBeEnough) {
  policy_.failures = 1;
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, AnAnswerOfAnyKindBreaksTheRow) {
  for (const HealthAnswer answer :
       {HealthAnswer::kServing, HealthAnswer::kNotServing}) {
    Miss();
    Miss();
    Answer(answer, 0.1);
    EXPECT_EQ(Miss(), Verdict::kUndecided);
    EXPECT_EQ(Miss(), Verdict::kUndecided);
    EXPECT_EQ(Miss(), Verdict::kHung);
    judge_.StartAnew(now_, activity_);
  }
}

TEST_F(HealthJudgeTest, SomethingHeardMeanwhileBreaksTheRow) {
  Miss();
  Miss();
  ++activity_.heard;
  EXPECT_EQ(Miss(), Verdict::kUndecided);
  EXPECT_EQ(judge_.missed(), 0);
  Miss();
  Miss();
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, WithCallsUnderWayItIsBusyUntilTheLimit) {
  activity_.under_way = 1;
  policy_.busy_limit = absl::Seconds(48);
  // Heard of last at 100: now at 112, 124, 136.
  Miss();
  Miss();
  EXPECT_EQ(Miss(), Verdict::kUndecided);
  // At 147.999, and then past 148.
  EXPECT_EQ(Miss(1.999), Verdict::kUndecided);
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, AtTheLimitItHangs) {
  activity_.under_way = 1;
  policy_.busy_limit = absl::Seconds(48);
  for (int i = 0; i < 3; ++i) Miss();
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, WithoutALimitItIsBusyForAsLongAsItHasCalls) {
  activity_.under_way = 1;
  policy_.busy_limit = absl::InfiniteDuration();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Miss(), Verdict::kUndecided);
  activity_.under_way = 0;
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, ALimitOfZeroLooksAtNoCalls) {
  activity_.under_way = 1;
  policy_.busy_limit = absl::ZeroDuration();
  Miss();
  Miss();
  EXPECT_EQ(Miss(), Verdict::kHung);
}

TEST_F(HealthJudgeTest, TheEndOfItsLastCallIsASign) {
  activity_.under_way = 1;
  for (int i = 0; i < 5; ++i) Miss();
  activity_ = {0, 1};
  EXPECT_EQ(Miss(), Verdict::kUndecided);
}

TEST_F(HealthJudgeTest, AHostThatStoodStillItselfStartsAnew) {
  Miss();
  Miss();
  // The answer came in time, and nobody looked.
  EXPECT_EQ(Miss(3.001), Verdict::kUndecided);
  EXPECT_EQ(judge_.missed(), 0);
  Miss();
  Miss();
  // Just late, as loaded hosts are.
  EXPECT_EQ(Miss(3), Verdict::kHung);
}

TEST_F(HealthJudgeTest, WithoutATimeoutNothingIsLate) {
  policy_.timeout = absl::InfiniteDuration();
  Miss();
  Miss();
  EXPECT_EQ(Miss(1e6), Verdict::kHung);
}

}  // namespace
}  // namespace goplugin::internal
