// Lazy starts and stops for want of calls.

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

SupervisorOptions Plain(int replicas = 1) {
  SupervisorOptions options;
  options.replicas = replicas;
  options.restart.jitter = 0;
  options.restart.intensity = 3;
  return options;
}

TEST(MachineLazyTest, StartsAtTheFirstCall) {
  SupervisorOptions options = Plain(2);
  options.start = StartMode::kLazy;
  MachineWorld world(options);
  world.Begin();
  EXPECT_TRUE(world.answers[1].ok());
  EXPECT_EQ(world.machine.state(), SupervisorState::kStopped);
  world.Advance(absl::Hours(1));
  EXPECT_TRUE(world.starts.empty());
  EXPECT_TRUE(world.machine.may_recover());
  world.machine.Want(world.now);
  world.Pump();
  EXPECT_EQ(world.AllUsed().size(), 2u);
  world.machine.Want(world.now);
  world.Pump();
  EXPECT_EQ(world.starts.size(), 2u);
}

TEST(MachineLazyTest, AFirstStartThatFailsIsTriedAgain) {
  SupervisorOptions options = Plain();
  options.start = StartMode::kLazy;
  MachineWorld world(options);
  world.Begin();
  world.launches = Reply::kNo;
  world.machine.Want(world.now);
  world.Pump();
  EXPECT_EQ(world.starts.size(), 2u);
  EXPECT_EQ(world.machine.state(), SupervisorState::kStarting);
}

// The call that it was started for takes a moment to reach it.
TEST(MachineIdleTest, TheShortestTimeoutLeavesTimeForTheFirstCall) {
  SupervisorOptions options = Plain();
  options.start = StartMode::kLazy;
  options.idle_timeout = absl::Nanoseconds(1);
  MachineWorld world(options);
  world.Begin();
  world.machine.Want(world.now);
  world.Pump();
  const std::uint64_t id = world.Used(0);
  ASSERT_NE(id, 0u);
  world.Advance(absl::Milliseconds(99));
  EXPECT_EQ(world.Used(0), id);
  world.live[id].activity.under_way = 1;
  world.Advance(absl::Seconds(1));
  EXPECT_EQ(world.Used(0), id);
  world.live[id].activity.under_way = 0;
  world.Advance(absl::Seconds(1));
  EXPECT_EQ(world.Used(0), 0u);
  EXPECT_TRUE(world.offences.empty());
}

TEST(MachineIdleTest, StopsAfterTheTimeoutAndStartsAtTheNextCall) {
  SupervisorOptions options = Plain();
  options.idle_timeout = absl::Seconds(100);
  MachineWorld world(options);
  world.Begin();
  world.Advance(absl::Seconds(100) - absl::Nanoseconds(1));
  EXPECT_EQ(world.Used(0), 1u);
  world.Advance(absl::Seconds(25));
  EXPECT_TRUE(world.live.empty());
  EXPECT_EQ(world.machine.state(), SupervisorState::kStopped);
  EXPECT_EQ(world.machine.next_look(), absl::InfiniteDuration());
  world.machine.Want(world.now);
  world.Pump();
  EXPECT_EQ(world.Used(0), 2u);
  EXPECT_EQ(world.machine.replicas().slot(0).restarts, 0);
}

TEST(MachineIdleTest, CallsKeepItUp) {
  SupervisorOptions options = Plain();
  options.idle_timeout = absl::Seconds(100);
  MachineWorld world(options);
  world.Begin();
  for (int i = 0; i < 10; ++i) {
    world.Advance(absl::Seconds(75));
    ++world.live[1].activity.heard;
  }
  world.live[1].activity.under_way = 1;
  world.Advance(absl::Hours(1));
  EXPECT_EQ(world.Used(0), 1u);
  world.live[1].activity.under_way = 0;
  world.Advance(absl::Seconds(151));
  EXPECT_TRUE(world.live.empty());
}

TEST(MachineIdleTest, DoesNotForgetTheBackoff) {
  SupervisorOptions options = Plain();
  options.idle_timeout = absl::Milliseconds(10);
  options.restart.initial = absl::Seconds(5);
  MachineWorld world(options);
  world.Begin();
  world.Exit(1);
  world.Exit(2);
  world.Advance(absl::Seconds(1));
  ASSERT_EQ(world.machine.state(), SupervisorState::kStopped);
  world.machine.Want(world.now);
  world.Pump();
  EXPECT_EQ(world.starts.size(), 2u);
}

}  // namespace
}  // namespace goplugin::testing
