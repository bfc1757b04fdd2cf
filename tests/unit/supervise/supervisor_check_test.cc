#include "goplugin/internal/supervise/supervisor_check.h"

#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <functional>
#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/supervisor_options.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kInfinite = absl::InfiniteDuration();
constexpr absl::Duration kNegative = -absl::Nanoseconds(1);

TEST(SupervisorCheckTest, EveryDefaultIsUsable) {
  EXPECT_TRUE(CheckSupervisorOptions(SupervisorOptions()).ok());
}

TEST(SupervisorCheckTest, TheEdgesAreUsable) {
  SupervisorOptions least;
  least.restart = {
      absl::ZeroDuration(), absl::ZeroDuration(), 0, absl::ZeroDuration(), 0,
      absl::Nanoseconds(1), absl::ZeroDuration()};
  least.health = {absl::Nanoseconds(1), absl::Nanoseconds(1), 1,
                  absl::ZeroDuration()};
  least.max_waiting = 0;
  least.drain_timeout = absl::ZeroDuration();
  least.prepare_timeout = absl::Nanoseconds(1);
  least.idle_timeout = absl::Nanoseconds(1);
  least.start = StartMode::kLazy;
  EXPECT_TRUE(CheckSupervisorOptions(least).ok())
      << CheckSupervisorOptions(least);
  SupervisorOptions most;
  most.replicas = 1000;
  most.restart = {kInfinite, kInfinite, 1,        kInfinite,
                  INT_MAX,   kInfinite, kInfinite};
  most.health = {kInfinite, kInfinite, INT_MAX, kInfinite};
  most.max_waiting = INT_MAX;
  most.drain_timeout = most.prepare_timeout = kInfinite;
  most.unavailable = Unavailable::kFail;
  most.retry_safe_methods = {"/proto.KV/Get"};
  EXPECT_TRUE(CheckSupervisorOptions(most).ok())
      << CheckSupervisorOptions(most);
}

struct BadCase {
  const char* name;
  std::function<void(SupervisorOptions&)> spoil;
  std::string field;
};

std::ostream& operator<<(std::ostream& out, const BadCase& bad) {
  return out << bad.name;
}

class BadPolicyTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadPolicyTest, IsAnErrorThatNamesTheField) {
  SupervisorOptions options;
  GetParam().spoil(options);
  const absl::Status status = CheckSupervisorOptions(options);
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_EQ(details->reason, Reason::kOptions);
  EXPECT_TRUE(absl::StrContains(details->what, GetParam().field)) << status;
  EXPECT_FALSE(details->evidence.empty()) << status;
  EXPECT_FALSE(details->hint.empty()) << status;
}

using Options = SupervisorOptions;

INSTANTIATE_TEST_SUITE_P(
    Table, BadPolicyTest,
    ::testing::Values(
        BadCase{"NoReplicas", [](Options& o) { o.replicas = 0; }, "replicas"},
        BadCase{"TooManyReplicas", [](Options& o) { o.replicas = 1001; },
                "replicas"},
        BadCase{"Idle",
                [](Options& o) { o.idle_timeout = absl::ZeroDuration(); },
                "idle_timeout"},
        BadCase{"Initial", [](Options& o) { o.restart.initial = kNegative; },
                "restart.initial"},
        BadCase{"MaxBelowInitial",
                [](Options& o) { o.restart.max = absl::Milliseconds(99); },
                "restart.max"},
        BadCase{"JitterBelow", [](Options& o) { o.restart.jitter = -0.01; },
                "restart.jitter"},
        BadCase{"JitterAbove", [](Options& o) { o.restart.jitter = 1.01; },
                "restart.jitter"},
        BadCase{"JitterNan",
                [](Options& o) { o.restart.jitter = std::nan(""); },
                "restart.jitter"},
        BadCase{"Steady", [](Options& o) { o.restart.steady = kNegative; },
                "restart.steady"},
        BadCase{"Intensity", [](Options& o) { o.restart.intensity = -1; },
                "restart.intensity"},
        BadCase{"Period",
                [](Options& o) { o.restart.period = absl::ZeroDuration(); },
                "restart.period"},
        BadCase{"CoolDown", [](Options& o) { o.restart.cool_down = kNegative; },
                "restart.cool_down"},
        BadCase{"Interval",
                [](Options& o) { o.health.interval = absl::ZeroDuration(); },
                "health.interval"},
        BadCase{"Timeout",
                [](Options& o) { o.health.timeout = absl::ZeroDuration(); },
                "health.timeout"},
        BadCase{"Failures", [](Options& o) { o.health.failures = 0; },
                "health.failures"},
        BadCase{"BusyLimit",
                [](Options& o) { o.health.busy_limit = kNegative; },
                "health.busy_limit"},
        BadCase{"MaxWaiting", [](Options& o) { o.max_waiting = -1; },
                "max_waiting"},
        BadCase{"Drain", [](Options& o) { o.drain_timeout = kNegative; },
                "drain_timeout"},
        BadCase{"Prepare",
                [](Options& o) { o.prepare_timeout = absl::ZeroDuration(); },
                "prepare_timeout"},
        BadCase{"LazyAndFail",
                [](Options& o) {
                  o.start = StartMode::kLazy;
                  o.unavailable = Unavailable::kFail;
                },
                "unavailable"},
        BadCase{"IdleAndFail",
                [](Options& o) {
                  o.idle_timeout = absl::Seconds(1);
                  o.unavailable = Unavailable::kFail;
                },
                "unavailable"},
        BadCase{"ShortMethod",
                [](Options& o) { o.retry_safe_methods = {"Get"}; },
                "retry_safe_methods"},
        BadCase{"MethodWithoutService",
                [](Options& o) { o.retry_safe_methods = {"//Get"}; },
                "retry_safe_methods"},
        BadCase{"ServiceWithoutMethod",
                [](Options& o) { o.retry_safe_methods = {"/proto.KV/"}; },
                "retry_safe_methods"},
        BadCase{"EmptyMethod", [](Options& o) { o.retry_safe_methods = {""}; },
                "retry_safe_methods"}),
    [](const ::testing::TestParamInfo<BadCase>& param) {
      return std::string(param.param.name);
    });

}  // namespace
}  // namespace goplugin::internal
