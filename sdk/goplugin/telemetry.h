#ifndef GOPLUGIN_TELEMETRY_H_
#define GOPLUGIN_TELEMETRY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/exit_status.h"
#include "goplugin/supervisor_status.h"

// What happens to plugins and to their supervisors, as plain events: for
// counters, histograms and traces. Latencies of calls are not among them; gRPC
// has interceptors for that (ClientOptions::interceptors).

namespace goplugin {

// Whom an event is about. A value.
struct PluginIdentity {
  // As errors call it: the program's path, or the target. In a supervisor's own
  // events the path of its Command or its target, empty for other sources.
  std::string name = {};
  // 0: it has none, or none that is known.
  std::int64_t pid = 0;
  // Which replica of a supervisor, from 0 on, and which of its starts, from 1
  // on, as Supervisor::Status() has them. -1 and 0: none, or the event is about
  // the supervisor as a whole.
  int replica = -1;
  std::uint64_t generation = 0;
};

// A launch, Reattach or Attach is over.
struct LaunchEvent {
  PluginIdentity plugin = {};
  // OK, or what the caller was told.
  absl::Status status = absl::OkStatus();
  // From the call on; zero for steps that were not reached.
  LaunchTimings timings = {};
  // From the call to the end, which for a failed launch is when nothing of it
  // was left.
  absl::Duration took = absl::ZeroDuration();
};

// A client's plugin has ended, or was left running.
struct ExitEvent {
  enum class Cause {
    // This host ended it, by Shutdown, Kill or the destructor; or whatever
    // stops the host had stopped it just before, which Shutdown excuses.
    kShutdown,
    // It ended unasked. Where that was by a signal that stops or with exit code
    // 0, it is told as soon as it can be no such stop: up to 5 s later.
    kCrash,
    kReleased,  // it runs on: detached, or somebody else's
  };

  PluginIdentity plugin = {};
  Cause cause = Cause::kShutdown;
  ExitStatus status = {};
  // The crash report, or what the end met that was not as asked.
  absl::Status error = absl::OkStatus();
  // Since it was ready.
  absl::Duration lifetime = absl::ZeroDuration();
};

// Something was lost, because who takes it is slower than what comes.
struct DroppedEvent {
  PluginIdentity plugin = {};
  // Log entries and pieces of output.
  std::size_t entries = 0;
  // Telemetry's own events.
  std::size_t events = 0;
};

// This side has dialled a brokered connection.
struct DialEvent {
  PluginIdentity plugin = {};
  std::uint32_t id = 0;
  absl::Status status = absl::OkStatus();
  absl::Duration took = absl::ZeroDuration();
};

// What a plugin's process uses, every ClientOptions::usage_interval.
struct UsageEvent {
  PluginIdentity plugin = {};
  // User and system time since the process began; its children's is not in it.
  absl::Duration processor = absl::ZeroDuration();
  // Resident memory.
  std::int64_t memory_bytes = 0;
};

// ---- Of a Supervisor, beside those of its clients ---------------------------

// A replica has failed: it exited unasked, hangs, or could not be started or
// prepared. What the breaker counts; not the failures of a Replace, which are
// its answer.
struct FailureEvent {
  // The one that failed.
  PluginIdentity plugin = {};
  // Why, with the crash report.
  absl::Status error = absl::OkStatus();
  // Until the replica is started again, which may be later: nothing of the old
  // process must be left. InfiniteDuration: not by itself, since the breaker
  // waits for somebody, or Supervisor::Start ends here.
  absl::Duration restart_in = absl::ZeroDuration();
};

// A replica is started again after a failure. OnLaunch tells what came of it.
struct RestartEvent {
  // The new one; it has no pid yet.
  PluginIdentity plugin = {};
  // The failure.
  absl::Status reason = absl::OkStatus();
  // Of this replica so far, with this one: ReplicaStatus::restarts.
  int restarts = 0;
};

// The breaker, of all replicas together, has another state.
struct BreakerEvent {
  enum class State {
    kOpen,     // nothing is restarted; after a probe that failed, again
    kProbing,  // one replica is started, as a probe
    kClosed,   // the probe went well, or Restart or Replace has closed it
  };

  // The replica that failed, or that is the probe; none where a host closed it.
  PluginIdentity plugin = {};
  State state = State::kClosed;
  // While it is open: the last failure.
  absl::Status error = absl::OkStatus();
  // While it is open, until the probe. InfiniteDuration: there will be none.
  absl::Duration probe_in = absl::InfiniteDuration();
};

// A replica's health service says something else, or is heard for the first
// time. Silence is not told here: a hang is a FailureEvent.
struct HealthEvent {
  PluginIdentity plugin = {};
  // Whether it wants calls.
  bool serving = true;
};

// The supervisor as a whole is in another state.
struct SupervisorStateEvent {
  PluginIdentity plugin = {};
  SupervisorState state = SupervisorState::kStarting;
  // The last failure, OK when there was none.
  absl::Status error = absl::OkStatus();
};

// Takes the events it is interested in. Derive from it, override what is
// wanted, and give it as ClientOptions::telemetry.
//
// Threads: called on the SDK's callback threads, for one client one at a time
// and in order; one object that several clients have is called by several
// threads at once. A supervisor's own events are in order among themselves, as
// if it were a client more. What LogSink may not do, it may not either.
// While it returns from nothing, events wait, up to 8 MiB for each client; then
// the oldest are dropped, and OnDropped tells.
// Lifetime: a client shares ownership until its last event was taken, which may
// be after the client's own end; a supervisor likewise.
//
// Example:
//   class Counters final : public goplugin::Telemetry {
//    public:
//     void OnExit(const goplugin::ExitEvent& event) override {
//       if (event.cause == goplugin::ExitEvent::Cause::kCrash) ++crashes;
//     }
//     std::atomic<int> crashes{0};
//   };
//   options.telemetry = std::make_shared<Counters>();
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual void OnLaunch(const LaunchEvent& /*event*/) {}
  virtual void OnExit(const ExitEvent& /*event*/) {}
  virtual void OnDropped(const DroppedEvent& /*event*/) {}
  virtual void OnDial(const DialEvent& /*event*/) {}
  virtual void OnUsage(const UsageEvent& /*event*/) {}
  virtual void OnFailure(const FailureEvent& /*event*/) {}
  virtual void OnRestart(const RestartEvent& /*event*/) {}
  virtual void OnBreaker(const BreakerEvent& /*event*/) {}
  virtual void OnHealth(const HealthEvent& /*event*/) {}
  virtual void OnSupervisorState(const SupervisorStateEvent& /*event*/) {}
};

}  // namespace goplugin

#endif  // GOPLUGIN_TELEMETRY_H_
