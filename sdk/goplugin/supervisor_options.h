#ifndef GOPLUGIN_SUPERVISOR_OPTIONS_H_
#define GOPLUGIN_SUPERVISOR_OPTIONS_H_

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/language.h"

namespace goplugin {

class Client;

// When a plugin that has ended is started again, and when no more.
struct RestartPolicy {
  // The wait before a restart: none after a replica's first failure, then
  // `initial`, doubled with each further one up to `max`. Both from 0 on.
  absl::Duration initial = absl::Milliseconds(100);
  absl::Duration max = absl::Seconds(30);
  // Each wait is longer or shorter by up to this share of it, so that replicas
  // and hosts do not start in step. 0 to 1.
  double jitter = 0.2;
  // A replica that has lived for so long begins with its waits anew.
  // InfiniteDuration: never.
  absl::Duration steady = absl::Seconds(60);

  // The breaker, of all replicas together: more than `intensity` failures
  // within `period`, and nothing is restarted any more. Exits that nobody asked
  // for, hangs and starts that fail are failures. What no retry can heal (a
  // missing file, another architecture, checksum or version) opens it at once.
  // From 0 on; INT_MAX is never.
  int intensity = 5;
  // Above 0. InfiniteDuration: no failure is forgotten.
  absl::Duration period = absl::Seconds(60);
  // Then one start is tried, as a probe: when it becomes ready the breaker
  // closes, else it stays open for as long again. The wait is longer where
  // `period` still counts more than `intensity` failures. From 0 on.
  // InfiniteDuration: only Restart and Replace close it.
  absl::Duration cool_down = absl::Minutes(5);
};

// When a plugin that runs is taken for unusable, or for dead. Its health
// service is asked again and again; one without a health service is healthy.
struct HealthPolicy {
  // From one question to the next. Above 0. InfiniteDuration: it is not asked.
  absl::Duration interval = absl::Seconds(10);
  // For an answer. Above 0.
  absl::Duration timeout = absl::Seconds(2);
  // A replica hangs when so many questions in a row got no answer, and none of
  // its calls has ended or got a message meanwhile. It is ended by the ladder
  // of ShutdownOptions and started again. At least 1.
  int failures = 3;
  // One that has calls under way may compute, and is left alone for so long
  // after it was last heard of. From 0 on. InfiniteDuration: while it has any.
  absl::Duration busy_limit = absl::Minutes(5);
};

// What becomes of a call when no replica can take it.
enum class Unavailable {
  // It waits for the next one, until its own deadline, its cancellation, or the
  // breaker opens.
  kWait,
  // It fails with UNAVAILABLE at once.
  kFail,
};

enum class StartMode {
  kEager,  // all replicas, by Supervisor::Start
  kLazy,   // at the first call
};

// Everything a Supervisor can be told besides the command and the options of
// its clients. A plain value; every default is usable.
//
// Checked as a whole by Supervisor::Start before anything is started; an error
// has Reason::kOptions. Times are by the monotonic clock; none may be negative;
// which may be InfiniteDuration is said with each, and elsewhere it is an
// endless wait.
//
// Example:
//   goplugin::SupervisorOptions supervision;
//   supervision.replicas = 4;
//   supervision.restart.intensity = 10;
//   supervision.prepare = [config](goplugin::Client& plugin,
//                                  std::chrono::system_clock::time_point end) {
//     grpc::ClientContext context;
//     context.set_deadline(end);
//     return ToStatus(
//         plugin.NewStub<proto::KV>()->Configure(&context, config, &reply));
//   };
struct SupervisorOptions {
  // How many processes serve at the same time, 1 to 1000.
  int replicas = 1;

  StartMode start = StartMode::kEager;
  // After so long without calls all replicas are stopped (a quarter later at
  // most), and started again at the next call. Above 0; less than 100 ms is 100
  // ms. InfiniteDuration: never.
  absl::Duration idle_timeout = absl::InfiniteDuration();

  RestartPolicy restart = {};
  HealthPolicy health = {};

  // kLazy and idle_timeout need kWait: a call is what starts the plugin.
  Unavailable unavailable = Unavailable::kWait;
  // How many calls may wait at the same time; further ones fail with
  // RESOURCE_EXHAUSTED. From 0 on.
  int max_waiting = 1000;

  // How long a replica that is replaced, scaled down, restarted by Restart or
  // stopped for want of calls keeps its calls under way before it is ended.
  // From 0 on. Shutdown does not wait for calls.
  absl::Duration drain_timeout = absl::Seconds(30);

  // Makes a new process ready for calls (Configure, Init, unseal, login): it is
  // blank after a restart, Replace and Scale. Called for each generation of
  // each replica, before it gets any call, on a thread of this library's and
  // for several replicas at once; its `deadline` is `prepare_timeout` from the
  // call. An error, or none in time, is a failed start, and the process is
  // ended.
  //
  // It may block and call the plugin's stubs, but no blocking method of the
  // client (Reason::kWrongThread). It may keep the client's broker, not the
  // client. It must not throw. One that is late may return after the
  // supervisor's end: what it uses must live as long, by shared_ptr. One that
  // never returns keeps a thread, as does a sink, on_phase, Telemetry, an
  // interceptor or a runner factory: where more than 16 threads stay there, and
  // 4 for each process that there is, further starts fail with kResources.
  std::function<absl::Status(Client& plugin,
                             std::chrono::system_clock::time_point deadline)>
      prepare = nullptr;
  // From a process's readiness until it is prepared and has answered for its
  // health. Above 0.
  absl::Duration prepare_timeout = absl::Seconds(30);

  // A generation that negotiates another application version than the first
  // one fails with Reason::kAppVersion, since stubs are made for one: after a
  // Replace nothing has changed, after a restart the breaker opens. True: the
  // host copes; see OnGeneration.
  bool allow_version_change = false;

  // The full names of methods that may be called again when their process dies
  // before anything of an answer has come: "/proto.KV/Get". All other calls
  // under way on it fail with UNAVAILABLE.
  std::vector<std::string> retry_safe_methods = {};
};

}  // namespace goplugin

#endif  // GOPLUGIN_SUPERVISOR_OPTIONS_H_
