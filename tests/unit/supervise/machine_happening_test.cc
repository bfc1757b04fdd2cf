// What a machine tells of what happens, for telemetry.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/internal/supervise/happening.h"
#include "goplugin/supervisor_options.h"
#include "tests/unit/supervise/machine_world.h"

namespace goplugin::testing {
namespace {

using internal::Happening;
using internal::HealthAnswer;
using Kind = internal::Happening::Kind;
using Reply = MachineWorld::Reply;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

SupervisorOptions Plain(int replicas = 1) {
  SupervisorOptions options;
  options.replicas = replicas;
  options.restart.jitter = 0;
  options.restart.intensity = 1;
  options.restart.period = absl::Seconds(30);
  options.restart.cool_down = absl::Seconds(60);
  return options;
}

std::string ToText(const Happening& happening) {
  const std::string who =
      absl::StrCat(" ", happening.slot, "/", happening.generation);
  switch (happening.kind) {
    case Kind::kFailure:
      return absl::StrCat("failure", who, ", again in ",
                          absl::FormatDuration(happening.wait), ": ",
                          happening.status.message());
    case Kind::kRestart:
      return absl::StrCat("restart", who, ", number ", happening.restarts, ": ",
                          happening.status.message());
    case Kind::kBreakerOpen:
      return absl::StrCat("open", who, ", probe in ",
                          absl::FormatDuration(happening.wait), ": ",
                          happening.status.message());
    case Kind::kBreakerProbing:
      return "probing" + who;
    case Kind::kBreakerClosed:
      return "closed" + who;
    case Kind::kServing:
      return "serving" + who;
    case Kind::kNotServing:
      return "not serving" + who;
  }
  return "";
}

std::vector<std::string> Take(MachineWorld& world) {
  std::vector<std::string> texts;
  for (const Happening& happening : world.machine.TakeHappenings()) {
    texts.push_back(ToText(happening));
  }
  return texts;
}

TEST(MachineHappeningTest, FailuresSayWhenTheNextStartIs) {
  SupervisorOptions options = Plain();
  options.restart.intensity = 10;
  MachineWorld world(options);
  world.Begin();
  EXPECT_THAT(Take(world), ElementsAre("serving 0/1"));
  world.Exit(1);
  EXPECT_THAT(Take(world),
              ElementsAre("failure 0/1, again in 0: exit of 1",
                          "restart 0/2, number 1: exit of 1", "serving 0/2"));
  world.Exit(2);
  EXPECT_THAT(Take(world),
              ElementsAre("failure 0/2, again in 100ms: exit of 2"));
  world.Advance(absl::Milliseconds(100));
  EXPECT_THAT(Take(world),
              ElementsAre("restart 0/3, number 2: exit of 2", "serving 0/3"));
}

TEST(MachineHappeningTest, TheBreakerOpensProbesAndCloses) {
  MachineWorld world(Plain());
  world.Begin();
  world.Exit(1);
  Take(world);
  world.launches = Reply::kNo;
  world.Exit(2);
  EXPECT_THAT(Take(world), ElementsAre("failure 0/2, again in 1m: exit of 2",
                                       "open 0/2, probe in 1m: exit of 2"));
  // A probe that fails opens it again.
  world.Advance(absl::Seconds(60));
  EXPECT_THAT(Take(world),
              ElementsAre("restart 0/3, number 2: exit of 2", "probing 0/3",
                          "failure 0/3, again in 1m: start of 3",
                          "open 0/3, probe in 1m: start of 3"));
  world.launches = Reply::kYes;
  world.Advance(absl::Seconds(60));
  EXPECT_THAT(Take(world),
              ElementsAre("restart 0/4, number 3: start of 3", "probing 0/4",
                          "serving 0/4", "closed 0/4"));
}

TEST(MachineHappeningTest, AHostThatRestartsClosesTheBreaker) {
  SupervisorOptions options = Plain();
  options.restart.cool_down = absl::InfiniteDuration();
  MachineWorld world(options);
  world.Begin();
  world.Exit(1);
  Take(world);
  world.Exit(2);
  EXPECT_THAT(Take(world), ElementsAre("failure 0/2, again in inf: exit of 2",
                                       "open 0/2, probe in inf: exit of 2"));
  world.machine.Restart(world.now, 7);
  world.Pump();
  EXPECT_THAT(Take(world),
              ElementsAre("closed -1/0", "restart 0/3, number 2: exit of 2",
                          "serving 0/3"));
}

TEST(MachineHappeningTest, HealthIsToldWhenItChanges) {
  SupervisorOptions options = Plain();
  options.health.interval = absl::Seconds(1);
  MachineWorld world(options);
  world.health = HealthAnswer::kNotServing;
  world.Begin();
  EXPECT_THAT(Take(world), ElementsAre("not serving 0/1"));
  world.Advance(absl::Seconds(5));
  EXPECT_THAT(Take(world), IsEmpty());
  world.health = HealthAnswer::kServing;
  world.Advance(absl::Seconds(5));
  EXPECT_THAT(Take(world), ElementsAre("serving 0/1"));
  world.health = HealthAnswer::kNotServing;
  world.Advance(absl::Seconds(5));
  EXPECT_THAT(Take(world), ElementsAre("not serving 0/1"));
}

TEST(MachineHappeningTest, OfAStartThatFailsNothingFollows) {
  MachineWorld world(Plain());
  world.launches = Reply::kNo;
  world.Begin();
  EXPECT_THAT(Take(world),
              ElementsAre("failure 0/1, again in inf: start of 1"));
}

TEST(MachineHappeningTest, AReplaceThatFailsIsAnsweredNotTold) {
  MachineWorld world(Plain());
  world.Begin();
  Take(world);
  world.launches = Reply::kNo;
  world.machine.Replace(world.now, 7, 1);
  world.Pump();
  EXPECT_FALSE(world.answers.at(7).ok());
  EXPECT_THAT(Take(world), IsEmpty());
}

}  // namespace
}  // namespace goplugin::testing
