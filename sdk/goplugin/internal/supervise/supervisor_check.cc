#include "goplugin/internal/supervise/supervisor_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

constexpr int kMaxReplicas = 1000;

absl::Status BadOption(absl::string_view field, std::string fact,
                       std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = absl::StrCat("the option ", field, " can't be used");
  details.evidence = {std::move(fact)};
  details.hint = std::move(hint);
  return MakeError(details);
}

absl::Status CheckTimes(const SupervisorOptions& options) {
  struct Row {
    const char* field;
    absl::Duration time;
    bool may_be_zero;
  };
  const RestartPolicy& restart = options.restart;
  const HealthPolicy& health = options.health;
  const Row rows[] = {
      {"idle_timeout", options.idle_timeout, false},
      {"restart.initial", restart.initial, true},
      {"restart.max", restart.max, true},
      {"restart.steady", restart.steady, true},
      {"restart.period", restart.period, false},
      {"restart.cool_down", restart.cool_down, true},
      {"health.interval", health.interval, false},
      {"health.timeout", health.timeout, false},
      {"health.busy_limit", health.busy_limit, true},
      {"drain_timeout", options.drain_timeout, true},
      {"prepare_timeout", options.prepare_timeout, false},
  };
  for (const Row& row : rows) {
    if (row.time > absl::ZeroDuration()) continue;
    if (row.may_be_zero && row.time == absl::ZeroDuration()) continue;
    return BadOption(row.field, absl::FormatDuration(row.time),
                     row.may_be_zero ? "give a time that is not negative"
                                     : "give a time above zero");
  }
  return absl::OkStatus();
}

absl::Status CheckRestart(const RestartPolicy& restart) {
  if (restart.max < restart.initial) {
    return BadOption("restart.max",
                     absl::StrCat(absl::FormatDuration(restart.max),
                                  ", with an initial wait of ",
                                  absl::FormatDuration(restart.initial)),
                     "give a longest wait that is not below the first");
  }
  // Not a number is none of the good ones.
  const bool good = restart.jitter >= 0 && restart.jitter <= 1;
  if (!good) {
    return BadOption("restart.jitter", absl::StrCat(restart.jitter),
                     "give a share of the wait from 0 to 1");
  }
  if (restart.intensity < 0) {
    return BadOption("restart.intensity", absl::StrCat(restart.intensity),
                     "give a number of failures from 0 on");
  }
  return absl::OkStatus();
}

absl::Status CheckCalls(const SupervisorOptions& options) {
  if (options.max_waiting < 0) {
    return BadOption("max_waiting", absl::StrCat(options.max_waiting),
                     "give a number of calls from 0 on");
  }
  const bool sleeps = options.start == StartMode::kLazy ||
                      options.idle_timeout != absl::InfiniteDuration();
  if (sleeps && options.unavailable == Unavailable::kFail) {
    return BadOption("unavailable",
                     "kFail, with a plugin that the next call is to start",
                     "set it to Unavailable::kWait, or start to kEager and "
                     "idle_timeout to InfiniteDuration");
  }
  for (const std::string& method : options.retry_safe_methods) {
    const bool full = absl::StartsWith(method, "/") &&
                      std::count(method.begin(), method.end(), '/') == 2 &&
                      method.find("//") == std::string::npos &&
                      method.back() != '/';
    if (full) continue;
    return BadOption("retry_safe_methods", Quote(method),
                     "give full names, as \"/proto.KV/Get\"");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckReplicas(int replicas) {
  if (replicas >= 1 && replicas <= kMaxReplicas) return absl::OkStatus();
  return BadOption("replicas", absl::StrCat(replicas),
                   absl::StrCat("give a number from 1 to ", kMaxReplicas));
}

absl::Status CheckSupervisorOptions(const SupervisorOptions& options) {
  absl::Status status = CheckReplicas(options.replicas);
  if (status.ok()) status = CheckTimes(options);
  if (status.ok()) status = CheckRestart(options.restart);
  if (status.ok() && options.health.failures < 1) {
    status = BadOption("health.failures", absl::StrCat(options.health.failures),
                       "give a number of checks from 1 on; health.interval = "
                       "InfiniteDuration makes none");
  }
  if (status.ok()) status = CheckCalls(options);
  return status;
}

}  // namespace goplugin::internal
