// Restart and Scale.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"
#include "tests/unit/supervise/machine_world.h"
#include "tests/unit/supervise/rollout_fixture.h"

namespace goplugin::testing {
namespace {

using Reply = MachineWorld::Reply;

using ChangeTest = RolloutTest;

TEST_F(ChangeTest, RestartStartsEachAgainOneAfterTheOther) {
  Begin(2);
  world_->live[1].activity.under_way = 1;
  world_->machine.Restart(world_->now, 7);
  world_->Pump();
  EXPECT_EQ(world_->AllUsed(), std::vector<std::uint64_t>{2});
  EXPECT_EQ(world_->starts.size(), 2u) << "not beside the old one";
  world_->live[1].activity.under_way = 0;
  world_->Advance(absl::Milliseconds(10));
  world_->Advance(absl::Milliseconds(10));
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(world_->AllUsed(), (std::vector<std::uint64_t>{3, 4}));
  EXPECT_TRUE(world_->machine.last_failure().ok()) << "no failure";
}

TEST_F(ChangeTest, RestartDoesNotWaitForTheBackoff) {
  Begin(1);
  world_->Exit(1);
  world_->Exit(2);
  ASSERT_EQ(world_->Used(0), 0u);
  world_->machine.Restart(world_->now, 7);
  world_->Pump();
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(world_->Used(0), 3u);
}

TEST_F(ChangeTest, RestartTellsWhatFailedAndTheRestGoesByThePolicy) {
  Begin(1);
  world_->launches = Reply::kNo;
  world_->machine.Restart(world_->now, 7);
  world_->Pump();
  world_->Advance(absl::Milliseconds(10));
  EXPECT_EQ(world_->answers[7], MachineWorld::Failure("start", 2));
  world_->launches = Reply::kYes;
  world_->Advance(absl::Seconds(1));
  EXPECT_EQ(world_->machine.state(), SupervisorState::kReady);
}

TEST_F(ChangeTest, RestartOfASleepingOneHasNothingToDo) {
  options_ = PlainReplicas();
  options_.start = StartMode::kLazy;
  world_.emplace(options_);
  world_->Begin();
  world_->machine.Restart(world_->now, 7);
  world_->Pump();
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_TRUE(world_->starts.empty());
}

TEST_F(ChangeTest, ScaleUpStartsThoseThatAreMissing) {
  Begin(1);
  world_->machine.Scale(world_->now, 3);
  world_->Pump();
  EXPECT_EQ(world_->AllUsed().size(), 3u);
  EXPECT_EQ(world_->starts.size(), 3u);
}

TEST_F(ChangeTest, ScaleDownLetsCallsEnd) {
  Begin(3);
  world_->live[3].activity.under_way = 1;
  world_->machine.Scale(world_->now, 1);
  world_->Pump();
  EXPECT_EQ(world_->AllUsed(), std::vector<std::uint64_t>{1});
  EXPECT_EQ(world_->machine.state(), SupervisorState::kReady);
  world_->Advance(absl::Milliseconds(10));
  EXPECT_EQ(world_->live.count(2), 0u);
  EXPECT_EQ(world_->live.count(3), 1u);
  // Up again: not before the old one is gone.
  world_->machine.Scale(world_->now, 3);
  world_->Pump();
  EXPECT_EQ(world_->Used(1), 4u);
  EXPECT_EQ(world_->Used(2), 0u);
  world_->live[3].activity.under_way = 0;
  world_->Advance(absl::Milliseconds(20));
  EXPECT_EQ(world_->Used(2), 5u);
}

TEST_F(ChangeTest, ScaleInAReplace) {
  Begin(2);
  world_->launches = Reply::kNever;
  Replace(7, 1);
  world_->machine.Scale(world_->now, 4);
  world_->Pump();
  world_->launches = Reply::kYes;
  for (const std::uint64_t id : {3u, 4u, 5u}) world_->Launched(id);
  world_->Advance(absl::Seconds(1));
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(UsedVersions(), (std::vector<int>{1, 1, 1, 1}));
  world_->launches = Reply::kNever;
  Replace(8, 2);
  world_->Launched(world_->starts.back().id);
  world_->machine.Scale(world_->now, 1);
  world_->Pump();
  world_->launches = Reply::kYes;
  world_->Advance(absl::Seconds(1));
  EXPECT_TRUE(world_->answers[8].ok());
  EXPECT_EQ(UsedVersions(), std::vector<int>{2});
}

}  // namespace
}  // namespace goplugin::testing
