// Replace.

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
using internal::HealthAnswer;

TEST_F(RolloutTest, TheNewOneComesBesideAndTheOldOneGoesAfterItsCalls) {
  Begin(1);
  world_->launches = Reply::kNever;
  world_->live[1].activity.under_way = 2;
  Replace(7, 1);
  EXPECT_EQ(world_->live.size(), 2u);
  EXPECT_EQ(world_->Used(0), 1u);
  world_->Launched(2);
  EXPECT_EQ(world_->AllUsed(), std::vector<std::uint64_t>{2});
  EXPECT_FALSE(world_->live[1].ending);
  world_->Advance(absl::Seconds(10));
  EXPECT_FALSE(world_->live[1].ending);
  EXPECT_EQ(world_->answers.count(7), 0u);
  world_->live[1].activity.under_way = 0;
  world_->Advance(absl::Milliseconds(10));
  EXPECT_EQ(world_->live.count(1), 0u);
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(world_->machine.versions(), std::vector<int>{1});
  // And stays the one that is restarted.
  world_->launches = Reply::kYes;
  world_->Exit(2);
  EXPECT_EQ(UsedVersions(), std::vector<int>{1});
}

TEST_F(RolloutTest, CallsThatDoNotEndAreCutOffByTheDrainTimeout) {
  Begin(1);
  world_->live[1].activity.under_way = 1;
  Replace(7, 1);
  world_->Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_EQ(world_->live.count(1), 1u);
  world_->Advance(absl::Milliseconds(10));
  EXPECT_EQ(world_->live.count(1), 0u);
  EXPECT_TRUE(world_->answers[7].ok());
}

TEST_F(RolloutTest, ACallOnItsWayIsWaitedForByALook) {
  Begin(1);
  Replace(7, 1);
  EXPECT_EQ(world_->live.count(1), 1u) << "nothing is under way, yet";
  world_->live[1].activity.under_way = 1;
  world_->Advance(absl::Seconds(1));
  EXPECT_EQ(world_->live.count(1), 1u);
}

TEST_F(RolloutTest, ReplicasGoOneAfterTheOther) {
  Begin(3);
  for (auto& [id, process] : world_->live) process.activity.under_way = 1;
  Replace(7, 1);
  EXPECT_EQ(world_->live.size(), 4u);
  for (std::uint64_t old = 1; old <= 3; ++old) {
    EXPECT_EQ(world_->live.size(), 4u);
    EXPECT_EQ(world_->AllUsed().size(), 3u);
    world_->live[old].activity.under_way = 0;
    world_->Advance(absl::Milliseconds(10));
  }
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(UsedVersions(), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(world_->starts.size(), 6u);
}

TEST_F(RolloutTest, OneThatDoesNotStartChangesNothing) {
  Begin(2);
  world_->launches = Reply::kNo;
  Replace(7, 1);
  EXPECT_EQ(world_->answers[7], MachineWorld::Failure("start", 3));
  EXPECT_EQ(world_->AllUsed(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(world_->starts.size(), 3u);
  EXPECT_FALSE(world_->machine.breaker_open());
  EXPECT_EQ(world_->machine.versions(), std::vector<int>{0});
  EXPECT_TRUE(world_->machine.last_failure().ok());
}

TEST_F(RolloutTest, NorDoesOneThatIsNotHealthyInTime) {
  Begin(1);
  for (const HealthAnswer answer :
       {HealthAnswer::kNone, HealthAnswer::kNotServing}) {
    world_->answers.erase(7);
    world_->answers_health = false;
    Replace(7, 1);
    const std::uint64_t beside = world_->starts.back().id;
    const absl::Duration end = world_->now + absl::Seconds(31);
    while (world_->now < end && world_->live.count(beside) != 0) {
      world_->Health(beside, answer);
      world_->Advance(absl::Milliseconds(200));
    }
    ASSERT_EQ(world_->answers.count(7), 1u);
    EXPECT_EQ(GetErrorDetails(world_->answers[7])->reason, Reason::kTimeout);
    EXPECT_EQ(world_->Used(0), 1u);
    EXPECT_EQ(world_->live.size(), 1u);
    world_->Health(1, HealthAnswer::kServing);
  }
}

TEST_F(RolloutTest, OneThatFailsHalfwayGoesBack) {
  Begin(3);
  int launched = 0;
  world_->launches = Reply::kNever;
  Replace(7, 1);
  while (world_->answers.count(7) == 0 && launched < 20) {
    world_->Advance(absl::Milliseconds(10));
    const MachineWorld::StartRecord start = world_->starts.back();
    if (world_->live.count(start.id) == 0 || world_->live[start.id].launched) {
      continue;
    }
    ++launched;
    // The third of the new ones fails.
    if (launched == 3) {
      world_->StartFails(start.id);
    } else {
      world_->Launched(start.id);
    }
  }
  EXPECT_EQ(world_->answers[7], MachineWorld::Failure("start", 6));
  EXPECT_EQ(UsedVersions(), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(launched, 5);
}

TEST_F(RolloutTest, ANewOneThatDiesWhileOthersAreMovedGoesBackToo) {
  Begin(2);
  world_->live[1].activity.under_way = 1;
  Replace(7, 1);
  ASSERT_EQ(world_->Used(0), 3u);
  world_->Exit(3);
  world_->live[1].activity.under_way = 0;
  world_->Advance(absl::Seconds(1));
  EXPECT_EQ(world_->answers[7], MachineWorld::Failure("exit", 3));
  EXPECT_EQ(UsedVersions(), (std::vector<int>{0, 0}));
}

TEST_F(RolloutTest, TheOldOneMayDieMeanwhile) {
  Begin(1);
  world_->launches = Reply::kNever;
  Replace(7, 1);
  world_->Exit(1);
  EXPECT_EQ(world_->starts.size(), 2u) << "never two beside the new one";
  world_->Launched(2);
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(UsedVersions(), std::vector<int>{1});
}

TEST_F(RolloutTest, AndIsStartedAgainWhenTheNewOneFails) {
  Begin(1);
  world_->launches = Reply::kNever;
  Replace(7, 1);
  world_->Exit(1);
  world_->launches = Reply::kYes;
  world_->StartFails(2);
  EXPECT_FALSE(world_->answers[7].ok());
  EXPECT_EQ(UsedVersions(), std::vector<int>{0});
}

TEST_F(RolloutTest, AReplaceInAReplaceWaitsForIt) {
  Begin(1);
  world_->launches = Reply::kNever;
  Replace(7, 1);
  Replace(8, 2);
  EXPECT_EQ(world_->starts.size(), 2u);
  world_->launches = Reply::kYes;
  world_->StartFails(2);
  EXPECT_FALSE(world_->answers[7].ok());
  world_->Advance(absl::Milliseconds(10));
  EXPECT_TRUE(world_->answers[8].ok());
  EXPECT_EQ(UsedVersions(), std::vector<int>{2});
}

TEST_F(RolloutTest, ClosesTheBreakerOfABrokenPlugin) {
  Begin(2);
  world_->launches = Reply::kNo;
  world_->unhealable = true;
  world_->Exit(1);
  world_->Exit(2);
  ASSERT_EQ(world_->machine.state(), SupervisorState::kGaveUp);
  world_->launches = Reply::kYes;
  Replace(7, 1);
  EXPECT_TRUE(world_->answers[7].ok());
  EXPECT_EQ(world_->machine.state(), SupervisorState::kReady);
  EXPECT_EQ(UsedVersions(), (std::vector<int>{1, 1}));
}

TEST_F(RolloutTest, OfASleepingOneTriesTheNewOne) {
  options_ = PlainReplicas(2);
  options_.start = StartMode::kLazy;
  world_.emplace(options_);
  world_->Begin();
  world_->launches = Reply::kNo;
  Replace(7, 1);
  EXPECT_FALSE(world_->answers[7].ok());
  EXPECT_EQ(world_->machine.state(), SupervisorState::kStopped);
  world_->launches = Reply::kYes;
  Replace(8, 2);
  EXPECT_TRUE(world_->answers[8].ok());
  EXPECT_EQ(world_->machine.state(), SupervisorState::kReady);
  EXPECT_EQ(UsedVersions(), (std::vector<int>{2, 2}));
}

TEST_F(RolloutTest, OfASleepingOneThatFailsHalfwaySleepsOn) {
  options_ = PlainReplicas(2);
  options_.start = StartMode::kLazy;
  world_.emplace(options_);
  world_->Begin();
  world_->launches = Reply::kNever;
  Replace(7, 1);
  world_->Launched(1);
  world_->launches = Reply::kYes;
  world_->StartFails(2);
  world_->Advance(absl::Seconds(1));
  EXPECT_FALSE(world_->answers[7].ok());
  EXPECT_TRUE(world_->live.empty());
  EXPECT_EQ(world_->machine.state(), SupervisorState::kStopped);
}

TEST_F(RolloutTest, ShutdownAnswersAllThatWait) {
  Begin(2);
  world_->launches = Reply::kNever;
  Replace(7, 1);
  Replace(8, 2);
  world_->machine.Shutdown(world_->now, 9);
  world_->Pump();
  for (const internal::Request request : {7, 8}) {
    EXPECT_EQ(GetErrorDetails(world_->answers[request])->reason,
              Reason::kShutDown);
  }
  EXPECT_TRUE(world_->answers[9].ok());
  EXPECT_TRUE(world_->live.empty());
}

}  // namespace
}  // namespace goplugin::testing
