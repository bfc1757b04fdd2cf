// What a machine makes of health.

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

TEST(MachineHealthTest, AHangIsFoundWithinIntervalTimesFailuresAndATimeout) {
  MachineWorld world(Plain());
  world.answers_health = false;
  world.Begin();
  world.Health(1, HealthAnswer::kServing);
  // It hangs from now on, and each question is answered by its timeout.
  const absl::Duration hung = world.now;
  while (world.live.count(1) != 0 && world.now < hung + absl::Minutes(5)) {
    world.Advance(absl::Seconds(10));
    world.now += absl::Seconds(2);
    world.Health(1, HealthAnswer::kNone);
    world.now -= absl::Seconds(2);
  }
  EXPECT_EQ(world.now + absl::Seconds(2) - hung, absl::Seconds(32));
  EXPECT_EQ(world.starts.size(), 2u);
  EXPECT_EQ(GetErrorDetails(world.machine.last_failure())->reason,
            Reason::kTimeout);
}

TEST(MachineHealthTest, NotServingTakesItOutOfUseAndNoFurther) {
  MachineWorld world(Plain(2));
  world.Begin();
  world.health = HealthAnswer::kNotServing;
  world.Advance(absl::Hours(1));
  EXPECT_TRUE(world.AllUsed().empty());
  EXPECT_EQ(world.live.size(), 2u);
  world.health = HealthAnswer::kServing;
  world.Advance(absl::Seconds(10));
  EXPECT_EQ(world.AllUsed().size(), 2u);
  EXPECT_EQ(world.starts.size(), 2u);
}

TEST(MachineHealthTest, AHostThatStoodStillKillsNobody) {
  SupervisorOptions options = WithPrepare(Plain(2));
  options.health.failures = 2;
  MachineWorld world(options);
  world.Begin();
  world.preparations = Reply::kNever;
  world.Exit(2);
  ASSERT_TRUE(world.live[3].asked_to_prepare);
  world.health = HealthAnswer::kNone;
  world.Advance(absl::Seconds(10));
  // Suspended for an hour, each time before the row is complete.
  for (int i = 0; i < 20; ++i) {
    world.now += absl::Hours(1);
    world.machine.OnTime(world.now);
    world.Pump();
    world.Advance(absl::Milliseconds(1));
  }
  EXPECT_EQ(world.live.count(1), 1u);
  EXPECT_EQ(world.live.count(3), 1u) << "nor one that was being prepared";
}

}  // namespace
}  // namespace goplugin::testing
