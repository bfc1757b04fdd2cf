// Restarts and the breaker, as a machine applies the policy.

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

TEST(MachineRestartTest, FollowsTheBackoff) {
  SupervisorOptions options = Plain();
  options.restart.intensity = 100;
  options.restart.max = absl::Milliseconds(300);
  MachineWorld world(options);
  world.Begin();
  const int waits[] = {0, 100, 200, 300, 300};
  for (const int wait : waits) {
    const size_t before = world.starts.size();
    world.Exit(world.Used(0));
    const absl::Duration gone = world.now;
    if (wait > 0) {
      EXPECT_EQ(world.machine.state(), SupervisorState::kRestarting);
      EXPECT_EQ(world.machine.StartAt(0), gone + absl::Milliseconds(wait));
      world.Advance(absl::Milliseconds(wait) - absl::Nanoseconds(1));
      EXPECT_EQ(world.starts.size(), before) << wait;
      world.Advance(absl::Nanoseconds(1));
    }
    ASSERT_EQ(world.starts.size(), before + 1) << wait;
    EXPECT_EQ(world.starts.back().when - gone, absl::Milliseconds(wait));
    EXPECT_EQ(world.machine.state(), SupervisorState::kReady);
  }
  EXPECT_EQ(world.machine.replicas().slot(0).restarts, 5);
}

TEST(MachineRestartTest, JitterIsWhatTheHostsRandomNumbersSay) {
  SupervisorOptions options = Plain();
  options.restart.jitter = 0.2;
  for (const double random : {0.0, 1.0}) {
    MachineWorld world(options);
    world.random = random;
    world.Begin();
    world.Exit(1);
    world.Exit(2);
    EXPECT_EQ(world.machine.StartAt(0) - world.now,
              absl::Milliseconds(random == 0 ? 80 : 120));
  }
}

TEST(MachineRestartTest, ASteadyLifeBeginsTheBackoffAnew) {
  for (const bool steady : {false, true}) {
    SupervisorOptions options = Plain();
    options.restart.period = absl::Seconds(1);
    MachineWorld world(options);
    world.Begin();
    world.Exit(1);
    ASSERT_EQ(world.Used(0), 2u);
    world.Advance(absl::Seconds(60) - absl::Nanoseconds(steady ? 0 : 1));
    world.Exit(2);
    EXPECT_EQ(world.starts.size(), steady ? 3u : 2u);
  }
}

TEST(MachineRestartTest, OfAStartThatFailsToo) {
  MachineWorld world(Plain());
  world.Begin();
  world.launches = Reply::kNo;
  world.Exit(1);
  EXPECT_EQ(world.starts.size(), 2u);
  world.launches = Reply::kYes;
  world.Advance(absl::Milliseconds(100));
  EXPECT_EQ(world.Used(0), 3u);
  EXPECT_EQ(world.machine.last_failure(), MachineWorld::Failure("start", 2));
}

TEST(MachineRestartTest, NotBeforeTheOldOneIsGone) {
  MachineWorld world(Plain());
  world.ends = Reply::kNever;
  world.Begin();
  world.health = HealthAnswer::kNone;
  world.Advance(absl::Seconds(60));
  EXPECT_TRUE(world.live[1].ending);
  EXPECT_EQ(world.starts.size(), 1u);
  world.health = HealthAnswer::kServing;
  world.Ended(1);
  EXPECT_EQ(world.Used(0), 2u);
}

TEST(MachineBreakerTest, GivesUpAfterIntensityAndOneStartsInAPeriod) {
  SupervisorOptions options = Plain();
  options.restart.max = absl::Seconds(1);
  MachineWorld world(options);
  world.Begin();
  world.launches = Reply::kNo;
  world.Exit(1);
  world.Advance(absl::Seconds(59));
  EXPECT_EQ(world.starts.size(), 4u);
  EXPECT_EQ(world.machine.state(), SupervisorState::kGaveUp);
  EXPECT_FALSE(world.machine.may_recover());
  // Not even a look, for as long as the breaker is open.
  EXPECT_GE(world.machine.next_look() - world.now, absl::Minutes(4));
}

TEST(MachineBreakerTest, AtTheIntensityItGoesOn) {
  MachineWorld world(Plain());
  world.Begin();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    world.Exit(id);
    world.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(world.Used(0), 4u);
  world.Exit(4);
  EXPECT_EQ(world.machine.state(), SupervisorState::kGaveUp);
}

TEST(MachineBreakerTest, ProbesOnceAfterTheCoolDown) {
  SupervisorOptions options = Plain(2);
  MachineWorld world(options);
  world.Begin();
  world.launches = Reply::kNo;
  world.unhealable = true;
  world.Exit(1);
  world.Exit(2);
  ASSERT_EQ(world.starts.size(), 3u);
  world.Advance(absl::Minutes(5) - absl::Nanoseconds(1));
  EXPECT_EQ(world.starts.size(), 3u);
  world.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(world.starts.size(), 4u) << "one, though two are missing";
  world.launches = Reply::kYes;
  world.Advance(absl::Minutes(5));
  EXPECT_EQ(world.machine.state(), SupervisorState::kReady);
  EXPECT_EQ(world.starts.size(), 6u);
}

TEST(MachineBreakerTest, AProbeThatIsTakenAwayIsFollowedByAnother) {
  MachineWorld world(Plain(2));
  world.Begin();
  world.launches = Reply::kNo;
  world.unhealable = true;
  world.Exit(2);
  world.launches = Reply::kNever;
  world.Advance(absl::Minutes(5));
  ASSERT_EQ(world.starts.size(), 4u);
  world.machine.Scale(world.now, 1);
  world.Pump();
  world.machine.Scale(world.now, 2);
  world.Pump();
  world.launches = Reply::kYes;
  world.Advance(absl::Minutes(5));
  EXPECT_EQ(world.machine.state(), SupervisorState::kReady);
}

TEST(MachineBreakerTest, LivingReplicasServeOn) {
  MachineWorld world(Plain(2));
  world.Begin();
  world.launches = Reply::kNo;
  world.unhealable = true;
  world.Exit(1);
  EXPECT_EQ(world.machine.state(), SupervisorState::kDegraded);
  EXPECT_TRUE(world.machine.breaker_open());
  EXPECT_EQ(world.Used(1), 2u);
}

TEST(MachineBreakerTest, RestartClosesIt) {
  MachineWorld world(Plain());
  world.Begin();
  world.launches = Reply::kNo;
  world.unhealable = true;
  world.Exit(1);
  world.launches = Reply::kYes;
  world.machine.Restart(world.now, 7);
  world.Pump();
  EXPECT_TRUE(world.answers[7].ok());
  EXPECT_EQ(world.machine.state(), SupervisorState::kReady);
}

}  // namespace
}  // namespace goplugin::testing
