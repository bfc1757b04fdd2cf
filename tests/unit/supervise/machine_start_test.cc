// The first start and the end, as a machine applies the policy.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"
#include "tests/unit/supervise/machine_world.h"

namespace goplugin::testing {
namespace {

using Reply = MachineWorld::Reply;
using internal::HealthAnswer;

SupervisorOptions Plain(int replicas = 1) {
  SupervisorOptions options;
  options.replicas = replicas;
  options.restart.jitter = 0;
  options.restart.intensity = 3;
  return options;
}

SupervisorOptions WithPrepare(SupervisorOptions options) {
  // Only whether there is one matters here.
  options.prepare = [](Client&, std::chrono::system_clock::time_point) {
    return absl::OkStatus();
  };
  return options;
}

TEST(MachineStartTest, IsReadyWhenAllReplicasAre) {
  MachineWorld world(Plain(2));
  world.launches = Reply::kNever;
  world.Begin();
  ASSERT_EQ(world.starts.size(), 2u);
  EXPECT_EQ(world.machine.state(), SupervisorState::kStarting);
  world.Launched(1);
  EXPECT_EQ(world.answers.count(1), 0u);
  EXPECT_EQ(world.machine.state(), SupervisorState::kDegraded);
  world.Launched(2);
  ASSERT_EQ(world.answers.count(1), 1u);
  EXPECT_TRUE(world.answers[1].ok());
  EXPECT_EQ(world.machine.state(), SupervisorState::kReady);
}

TEST(MachineStartTest, OneThatFailsLeavesNothing) {
  MachineWorld world(Plain(3));
  world.launches = Reply::kNever;
  world.ends = Reply::kNever;
  world.Begin();
  world.Launched(1);
  world.StartFails(2);
  EXPECT_TRUE(world.answers.empty()) << "before the others are gone";
  EXPECT_TRUE(world.AllUsed().empty());
  world.Ended(1);
  world.Ended(3);
  EXPECT_EQ(world.answers[1], MachineWorld::Failure("start", 2));
  EXPECT_EQ(world.machine.state(), SupervisorState::kStopped);
  world.Advance(absl::Hours(24));
  EXPECT_EQ(world.starts.size(), 3u);
}

TEST(MachineStartTest, IsPreparedAndAskedBeforeItIsUsed) {
  MachineWorld world(WithPrepare(Plain()));
  world.preparations = Reply::kNever;
  world.answers_health = false;
  world.Begin();
  EXPECT_TRUE(world.live[1].asked_to_prepare);
  EXPECT_EQ(world.checks, 0);
  world.Prepared(1);
  EXPECT_EQ(world.checks, 1);
  EXPECT_EQ(world.Used(0), 0u);
  world.Health(1, HealthAnswer::kServing);
  EXPECT_EQ(world.Used(0), 1u);
}

TEST(MachineStartTest, WithoutHealthItIsUsedOnceItIsPrepared) {
  SupervisorOptions options = WithPrepare(Plain());
  options.health.interval = absl::InfiniteDuration();
  MachineWorld world(options);
  world.Begin();
  EXPECT_EQ(world.Used(0), 1u);
  world.Advance(absl::Hours(1));
  EXPECT_EQ(world.checks, 0);
}

TEST(MachineStartTest, APreparationThatFailsIsAFailedStart) {
  MachineWorld world(WithPrepare(Plain()));
  world.preparations = Reply::kNo;
  world.Begin();
  EXPECT_EQ(world.answers[1], MachineWorld::Failure("prepare", 1));
  EXPECT_EQ(world.ended, std::vector<std::uint64_t>{1});
}

TEST(MachineStartTest, APreparationEndsByItsDeadlineAndNotBefore) {
  MachineWorld world(WithPrepare(Plain()));
  world.preparations = Reply::kNever;
  world.Begin();
  world.Advance(absl::Seconds(30) - absl::Nanoseconds(1));
  EXPECT_TRUE(world.answers.empty());
  world.Advance(absl::Nanoseconds(1));
  ASSERT_EQ(world.answers.count(1), 1u);
  EXPECT_EQ(GetErrorDetails(world.answers[1])->reason, Reason::kTimeout);
  EXPECT_TRUE(world.live.empty());
  // Late.
  world.machine.OnPrepared(world.now, 1, absl::OkStatus(), false);
  world.Pump();
  EXPECT_TRUE(world.offences.empty());
}

TEST(MachineStartTest, AnUnhealthyOneIsAskedAgainUntilItsDeadline) {
  MachineWorld world(Plain());
  world.health = HealthAnswer::kNone;
  world.Begin();
  world.Advance(absl::Seconds(29));
  EXPECT_GT(world.checks, 100);
  EXPECT_TRUE(world.answers.empty());
  world.health = HealthAnswer::kServing;
  world.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(world.answers[1].ok());
  EXPECT_EQ(world.Used(0), 1u);
}

TEST(MachineStartTest, OneThatDoesNotServeYetIsThereAndNotUsed) {
  MachineWorld world(Plain());
  world.health = HealthAnswer::kNotServing;
  world.Begin();
  EXPECT_TRUE(world.answers[1].ok());
  EXPECT_EQ(world.Used(0), 0u);
  EXPECT_EQ(world.machine.state(), SupervisorState::kDegraded);
  world.health = HealthAnswer::kServing;
  world.Advance(absl::Seconds(10));
  EXPECT_EQ(world.Used(0), 1u);
  EXPECT_EQ(world.starts.size(), 1u);
}

TEST(MachineEndTest, InEachStage) {
  for (const int stage : {0, 1, 2, 3, 4}) {
    MachineWorld world(WithPrepare(Plain(2)));
    if (stage == 0) world.launches = Reply::kNever;
    if (stage == 1) world.preparations = Reply::kNever;
    if (stage == 2) world.answers_health = false;
    world.Begin();
    if (stage == 4) {
      world.Exit(1);
      world.Exit(3);
    }
    world.ends = Reply::kNever;
    world.machine.Shutdown(world.now, 5);
    world.Pump();
    EXPECT_EQ(world.machine.state(), SupervisorState::kStopped);
    EXPECT_TRUE(world.AllUsed().empty());
    const size_t starts = world.starts.size();
    while (!world.live.empty()) {
      EXPECT_EQ(world.answers.count(5), 0u);
      ASSERT_TRUE(world.live.begin()->second.ending);
      world.Ended(world.live.begin()->first);
    }
    EXPECT_TRUE(world.answers[5].ok());
    EXPECT_EQ(world.answers.count(1), 1u) << stage;
    world.machine.Want(world.now);
    world.machine.Scale(world.now, 5);
    world.machine.Replace(world.now, 6, 1);
    world.machine.Shutdown(world.now, 8);
    world.Advance(absl::Hours(10));
    world.Pump();
    EXPECT_EQ(world.starts.size(), starts);
    EXPECT_EQ(GetErrorDetails(world.answers[6])->reason, Reason::kShutDown);
    EXPECT_TRUE(world.answers[8].ok());
    EXPECT_EQ(world.machine.next_look(), absl::InfiniteDuration());
    EXPECT_TRUE(world.offences.empty()) << world.offences.front();
  }
}

TEST(MachineEndTest, TellsWhatTheEndsSaid) {
  MachineWorld world(Plain());
  world.ends = Reply::kNever;
  world.Begin();
  world.machine.Shutdown(world.now, 5);
  world.Pump();
  world.machine.OnEnded(world.now, 1, absl::AbortedError("forced"));
  world.Pump();
  EXPECT_EQ(world.answers[5], absl::AbortedError("forced"));
}

}  // namespace
}  // namespace goplugin::testing
