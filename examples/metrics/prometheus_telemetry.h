#ifndef EXAMPLES_METRICS_PROMETHEUS_TELEMETRY_H_
#define EXAMPLES_METRICS_PROMETHEUS_TELEMETRY_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/labels.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/supervisor_status.h"
#include "goplugin/telemetry.h"

// What happens to plugins, as metrics of prometheus-cpp. A file to copy.
//
//   auto registry = std::make_shared<prometheus::Registry>();
//   prometheus::Exposer exposer("127.0.0.1:9464");  // serves /metrics
//   exposer.RegisterCollectable(registry);
//   options.telemetry = std::make_shared<PrometheusTelemetry>(registry);
//   options.usage_interval = absl::Seconds(10);
//
// Labels are what has few values: the program and its replica. Pids and
// generations are new with each start, and belong into logs.
//
// Thread-safe, as the metrics are: one object serves any number of clients and
// supervisors.
class PrometheusTelemetry final : public goplugin::Telemetry {
 public:
  explicit PrometheusTelemetry(std::shared_ptr<prometheus::Registry> registry)
      : registry_(std::move(registry)) {}

  void OnLaunch(const goplugin::LaunchEvent& event) override {
    launches_
        .Add({{"plugin", event.plugin.name}, {"result", Result(event.status)}})
        .Increment();
    if (!event.status.ok()) return;
    launch_seconds_
        .Add({{"plugin", event.plugin.name}},
             prometheus::Histogram::BucketBoundaries{
                 .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60})
        .Observe(absl::ToDoubleSeconds(event.took));
    running_.Add({{"plugin", event.plugin.name}}).Increment();
  }

  void OnExit(const goplugin::ExitEvent& event) override {
    exits_
        .Add({{"plugin", event.plugin.name}, {"cause", CauseName(event.cause)}})
        .Increment();
    running_.Add({{"plugin", event.plugin.name}}).Decrement();
    const std::lock_guard<std::mutex> lock(mutex_);
    // One that was replaced is not what serves now.
    const auto serves = serving_generations_.find(ReplicaOf(event.plugin));
    if (serves == serving_generations_.end() ||
        serves->second != event.plugin.generation) {
      return;
    }
    serving_.Add(ReplicaLabels(event.plugin)).Set(0);
  }

  void OnDropped(const goplugin::DroppedEvent& event) override {
    const auto count = [&](const char* what, std::size_t number) {
      if (number == 0) return;
      dropped_.Add({{"plugin", event.plugin.name}, {"what", what}})
          .Increment(static_cast<double>(number));
    };
    count("entries", event.entries);
    count("events", event.events);
  }

  void OnDial(const goplugin::DialEvent& event) override {
    dials_
        .Add({{"plugin", event.plugin.name}, {"result", Result(event.status)}})
        .Increment();
  }

  void OnUsage(const goplugin::UsageEvent& event) override {
    // A gauge, since it is read: a counter can only be added to. A process that
    // is started again begins at 0, which rate() understands all the same.
    processor_.Add(ReplicaLabels(event.plugin))
        .Set(absl::ToDoubleSeconds(event.processor));
    memory_.Add(ReplicaLabels(event.plugin))
        .Set(static_cast<double>(event.memory_bytes));
  }

  void OnFailure(const goplugin::FailureEvent& event) override {
    prometheus::Labels labels = ReplicaLabels(event.plugin);
    labels.emplace("reason", Result(event.error));
    failures_.Add(labels).Increment();
  }

  void OnRestart(const goplugin::RestartEvent& event) override {
    restarts_.Add(ReplicaLabels(event.plugin)).Increment();
  }

  void OnBreaker(const goplugin::BreakerEvent& event) override {
    using State = goplugin::BreakerEvent::State;
    const prometheus::Labels labels = {{"plugin", event.plugin.name}};
    breaker_open_.Add(labels).Set(event.state == State::kClosed ? 0 : 1);
    if (event.state == State::kOpen) breaker_opened_.Add(labels).Increment();
  }

  void OnHealth(const goplugin::HealthEvent& event) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    serving_generations_[ReplicaOf(event.plugin)] = event.plugin.generation;
    serving_.Add(ReplicaLabels(event.plugin)).Set(event.serving ? 1 : 0);
  }

  void OnSupervisorState(const goplugin::SupervisorStateEvent& event) override {
    using State = goplugin::SupervisorState;
    for (const State state :
         {State::kStarting, State::kReady, State::kDegraded, State::kRestarting,
          State::kGaveUp, State::kStopped}) {
      state_
          .Add({{"plugin", event.plugin.name},
                {"state", goplugin::SupervisorStateName(state)}})
          .Set(event.state == state ? 1 : 0);
    }
  }

 private:
  using Replica = std::pair<std::string, int>;

  using Counters = prometheus::Family<prometheus::Counter>;
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  Counters& MakeCounters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(
        *registry_);
  }
  Gauges& MakeGauges(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_);
  }

  static Replica ReplicaOf(const goplugin::PluginIdentity& plugin) {
    return {plugin.name, plugin.replica};
  }
  static prometheus::Labels ReplicaLabels(
      const goplugin::PluginIdentity& plugin) {
    return {
        {"plugin", plugin.name},
        {"replica", plugin.replica < 0 ? "" : absl::StrCat(plugin.replica)}};
  }
  // "ok", or the reason's name.
  static std::string Result(const absl::Status& status) {
    if (status.ok()) return "ok";
    const auto details = goplugin::GetErrorDetails(status);
    if (details.has_value()) return goplugin::ReasonName(details->reason);
    return absl::StatusCodeToString(status.code());
  }
  static const char* CauseName(goplugin::ExitEvent::Cause cause) {
    switch (cause) {
      case goplugin::ExitEvent::Cause::kShutdown:
        return "shutdown";
      case goplugin::ExitEvent::Cause::kCrash:
        return "crash";
      case goplugin::ExitEvent::Cause::kReleased:
        return "released";
    }
    return "";
  }

  const std::shared_ptr<prometheus::Registry> registry_;

  Counters& launches_ =
      MakeCounters("goplugin_launches_total", "Launches, by how they ended.");
  Histograms& launch_seconds_ =
      prometheus::BuildHistogram()
          .Name("goplugin_launch_seconds")
          .Help("From the call of a launch to the plugin's readiness.")
          .Register(*registry_);
  Counters& exits_ = MakeCounters(
      "goplugin_exits_total", "Ends of plugins that had been ready, by cause.");
  Gauges& running_ =
      MakeGauges("goplugin_running", "Plugins that are there now.");
  Counters& dropped_ =
      MakeCounters("goplugin_dropped_total",
                   "Log entries, output and events that a slow sink has lost.");
  Counters& dials_ =
      MakeCounters("goplugin_dials_total",
                   "Brokered connections dialled, by how that ended.");
  Gauges& processor_ =
      MakeGauges("goplugin_processor_seconds",
                 "User and system time of the plugin's process.");
  Gauges& memory_ = MakeGauges("goplugin_resident_bytes",
                               "Resident memory of the plugin's process.");
  Counters& failures_ =
      MakeCounters("goplugin_failures_total",
                   "Exits unasked, hangs and failed starts of replicas.");
  Counters& restarts_ = MakeCounters("goplugin_restarts_total",
                                     "Starts of replicas after a failure.");
  Gauges& breaker_open_ = MakeGauges(
      "goplugin_breaker_open", "1 while the breaker is open or tries a probe.");
  Counters& breaker_opened_ = MakeCounters("goplugin_breaker_opened_total",
                                           "How often the breaker has opened.");
  Gauges& serving_ =
      MakeGauges("goplugin_replica_serving",
                 "1 while the replica is there and says that it serves.");
  Gauges& state_ = MakeGauges("goplugin_supervisor_state",
                              "1 for the state that the supervisor is in.");

  std::mutex mutex_;
  // Which one said last whether it serves.
  std::map<Replica, std::uint64_t> serving_generations_;
};

#endif  // EXAMPLES_METRICS_PROMETHEUS_TELEMETRY_H_
