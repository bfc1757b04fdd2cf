#ifndef EXAMPLES_METRICS_OPENTELEMETRY_TELEMETRY_H_
#define EXAMPLES_METRICS_OPENTELEMETRY_TELEMETRY_H_

#include <opentelemetry/metrics/meter.h>
#include <opentelemetry/metrics/meter_provider.h>
#include <opentelemetry/metrics/provider.h>
#include <opentelemetry/metrics/sync_instruments.h>
#include <opentelemetry/nostd/shared_ptr.h>
#include <opentelemetry/nostd/unique_ptr.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/telemetry.h"

// What happens to plugins, as metrics of opentelemetry-cpp, by its API alone:
// whatever SDK and exporter the program sets up as its MeterProvider has them.
// A file to copy.
//
//   options.telemetry = std::make_shared<OpentelemetryTelemetry>();
//
// Make it after the MeterProvider was set. Attributes are what has few values:
// the program and its replica (-1: no supervisor's).
//
// Thread-safe, as the instruments are: one object serves any number of clients
// and supervisors.
class OpentelemetryTelemetry final : public goplugin::Telemetry {
 public:
  void OnLaunch(const goplugin::LaunchEvent& event) override {
    const std::string result = Result(event.status);
    launches_->Add(
        1, {{"plugin", event.plugin.name.c_str()}, {"result", result.c_str()}});
    if (!event.status.ok()) return;
    launch_seconds_->Record(absl::ToDoubleSeconds(event.took),
                            {{"plugin", event.plugin.name.c_str()}},
                            opentelemetry::context::Context());
    running_->Add(1, {{"plugin", event.plugin.name.c_str()}});
  }

  void OnExit(const goplugin::ExitEvent& event) override {
    exits_->Add(1, {{"plugin", event.plugin.name.c_str()},
                    {"cause", CauseName(event.cause)}});
    running_->Add(-1, {{"plugin", event.plugin.name.c_str()}});
  }

  void OnDropped(const goplugin::DroppedEvent& event) override {
    const auto count = [&](const char* what, std::size_t number) {
      if (number == 0) return;
      dropped_->Add(number,
                    {{"plugin", event.plugin.name.c_str()}, {"what", what}});
    };
    count("entries", event.entries);
    count("events", event.events);
  }

  void OnDial(const goplugin::DialEvent& event) override {
    const std::string result = Result(event.status);
    dials_->Add(
        1, {{"plugin", event.plugin.name.c_str()}, {"result", result.c_str()}});
  }

  void OnFailure(const goplugin::FailureEvent& event) override {
    const std::string reason = Result(event.error);
    failures_->Add(1, {{"plugin", event.plugin.name.c_str()},
                       {"replica", event.plugin.replica},
                       {"reason", reason.c_str()}});
  }

  void OnRestart(const goplugin::RestartEvent& event) override {
    restarts_->Add(1, {{"plugin", event.plugin.name.c_str()},
                       {"replica", event.plugin.replica}});
  }

  void OnBreaker(const goplugin::BreakerEvent& event) override {
    if (event.state != goplugin::BreakerEvent::State::kOpen) return;
    breaker_opened_->Add(1, {{"plugin", event.plugin.name.c_str()}});
  }

 private:
  template <typename Instrument>
  using Owned = opentelemetry::nostd::unique_ptr<Instrument>;
  using Counter = opentelemetry::metrics::Counter<std::uint64_t>;

  Owned<Counter> MakeCounter(const char* name, const char* what) {
    return meter_->CreateUInt64Counter(name, what);
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

  const opentelemetry::nostd::shared_ptr<opentelemetry::metrics::Meter> meter_ =
      opentelemetry::metrics::Provider::GetMeterProvider()->GetMeter(
          "goplugin");
  const Owned<Counter> launches_ =
      MakeCounter("goplugin.launches", "Launches, by how they ended");
  const Owned<opentelemetry::metrics::Histogram<double>> launch_seconds_ =
      meter_->CreateDoubleHistogram(
          "goplugin.launch.duration",
          "From the call of a launch to the plugin's readiness", "s");
  const Owned<Counter> exits_ = MakeCounter(
      "goplugin.exits", "Ends of plugins that had been ready, by cause");
  const Owned<opentelemetry::metrics::UpDownCounter<std::int64_t>> running_ =
      meter_->CreateInt64UpDownCounter("goplugin.running",
                                       "Plugins that are there now");
  const Owned<Counter> dropped_ =
      MakeCounter("goplugin.dropped",
                  "Log entries, output and events that a slow sink has lost");
  const Owned<Counter> dials_ = MakeCounter(
      "goplugin.dials", "Brokered connections dialled, by how that ended");
  const Owned<Counter> failures_ =
      MakeCounter("goplugin.failures",
                  "Exits unasked, hangs and failed starts of replicas");
  const Owned<Counter> restarts_ =
      MakeCounter("goplugin.restarts", "Starts of replicas after a failure");
  const Owned<Counter> breaker_opened_ = MakeCounter(
      "goplugin.breaker.opened", "How often the breaker has opened");
};

#endif  // EXAMPLES_METRICS_OPENTELEMETRY_TELEMETRY_H_
