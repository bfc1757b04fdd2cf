#include "goplugin/internal/supervise/live_plugin.h"

#include <grpc/grpc.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/health.h"
#include "goplugin/internal/supervise/supervise_error.h"
#include "goplugin/log_sink.h"

namespace goplugin::internal {
namespace {

// Says whose entries they are.
class NamingSink final : public LogSink {
 public:
  NamingSink(std::shared_ptr<LogSink> sink, std::shared_ptr<HostCode> code,
             int replica, std::uint64_t generation)
      : sink_(std::move(sink)),
        code_(std::move(code)),
        replica_(absl::StrCat(replica)),
        generation_(absl::StrCat(generation)) {}

  void Log(const LogEntry& entry) override {
    LogEntry named = entry;
    named.fields.emplace_back("replica", replica_);
    named.fields.emplace_back("generation", generation_);
    const HostCode::Visit visit(*code_);
    sink_->Log(named);
  }

 private:
  const std::shared_ptr<LogSink> sink_;
  const std::shared_ptr<HostCode> code_;
  const std::string replica_;
  const std::string generation_;
};

// As a launch takes it.
HealthAnswer AnswerOf(const grpc::Status& status,
                      wire::HealthCheckResponse::ServingStatus serving,
                      grpc::Channel& channel) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return serving == wire::HealthCheckResponse::SERVING
                 ? HealthAnswer::kServing
                 : HealthAnswer::kNotServing;
    case grpc::StatusCode::UNAVAILABLE:
      // gRPC gives this code to its own failures, too. After one of those the
      // connection does not stand.
      return channel.GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY
                 ? HealthAnswer::kNotServing
                 : HealthAnswer::kNone;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return HealthAnswer::kNone;
    // It lives, and keeps no health, or none for us.
    default:
      return HealthAnswer::kServing;
  }
}

}  // namespace

LivePlugin::LivePlugin(std::shared_ptr<Runtime> runtime,
                       std::shared_ptr<Lane> starts,
                       std::shared_ptr<HostCode> host_code, int replica,
                       std::uint64_t generation)
    : runtime_(std::move(runtime)),
      starts_(std::move(starts)),
      prepares_(Lane::Create(runtime_->callbacks())),
      checks_(Lane::Create(runtime_->callbacks())),
      host_code_(std::move(host_code)),
      replica_(replica),
      generation_(generation) {}

void LivePlugin::Post(absl::AnyInvocable<void(LivePlugin&)> what) {
  runtime_->loop().Post([self = shared_from_this(),
                         what = std::move(what)]() mutable { what(*self); });
}

void LivePlugin::Launch(const Source& source, ClientOptions options,
                        Events events) {
  events_ = std::move(events);
  name_ = source.name;
  launching_ = true;
  WrapHostCode(options);
  making_ = std::make_unique<Timer>(runtime_->loop());
  making_->Start(options.start_timeout, [this, limit = options.start_timeout] {
    GiveUp(FactoryHangsError(limit));
  });
  // It looks at the environment, directories and certificates; the host's own
  // code does what it likes.
  Lane& lane = source.by_runner ? *prepares_ : *starts_;
  lane.Post([self = shared_from_this(), make = source.make_launch,
             options = std::move(options), begun = begun_,
             by_runner = source.by_runner, since = Stopwatch()]() mutable {
    absl::StatusOr<Source::Launch> launch = [&] {
      absl::optional<HostCode::Visit> visit;
      if (by_runner) visit.emplace(*self->host_code_);
      return make();
    }();
    if (begun->exchange(true)) return;
    if (!launch.ok()) {
      return self->Post([why = launch.status()](LivePlugin& plugin) {
        plugin.OnLaunch(why);
      });
    }
    options.start_timeout =
        std::max(since.Remaining(options.start_timeout), absl::Milliseconds(1));
    LaunchOperation operation = (*std::move(launch))(
        std::move(options),
        [self](absl::StatusOr<std::unique_ptr<Client>> client) {
          self->Post([client = std::move(client)](LivePlugin& plugin) mutable {
            plugin.OnLaunch(std::move(client));
          });
        });
    self->Post([operation = std::move(operation)](LivePlugin& plugin) mutable {
      if (!plugin.launching_) return;
      plugin.launch_ = std::move(operation);
      if (plugin.ending_) plugin.launch_.Cancel();
    });
  });
}

void LivePlugin::WrapHostCode(ClientOptions& options) {
  has_interceptors_ = options.interceptors != nullptr;
  CountVisits(host_code_, options);
  if (options.log_sink != nullptr) {
    options.log_sink = std::make_shared<NamingSink>(
        std::move(options.log_sink), host_code_, replica_, generation_);
  }
  if (options.telemetry != nullptr) {
    telemetry_ = std::make_shared<GenerationTelemetry>(
        std::move(options.telemetry), host_code_, replica_, generation_);
    options.telemetry = telemetry_;
  }
}

void LivePlugin::GiveUp(absl::Status why) {
  if (begun_->exchange(true)) return;
  // An event may be what leads here.
  Post([why = std::move(why)](LivePlugin& plugin) { plugin.OnLaunch(why); });
}

void LivePlugin::OnLaunch(absl::StatusOr<std::unique_ptr<Client>> client) {
  launching_ = false;
  making_.reset();
  launch_ = LaunchOperation();
  if (!client.ok()) {
    return events_.on_start_failed(
        OfReplica(client.status(), replica_, generation_));
  }
  client_ = *std::move(client);
  Session::Of(*client_)->OnGone(
      [self = shared_from_this()](const SessionState::End& end) {
        self->OnGone(end);
      });
  if (ending_) return BeginEnd();
  target_ = std::make_shared<CallTarget>();
  target_->channel = client_->channel();
  events_.on_launched();
}

void LivePlugin::OnGone(const SessionState::End& end) {
  // Once the process exits all clients end; nothing follows.
  if (!Runtime::CheckProcess().ok()) return;
  if (ending_) {
    return events_.on_ended(end.result.ok()
                                ? end.result
                                : OfReplica(end.result, replica_, generation_));
  }
  if (telemetry_ != nullptr && !end.exit_error.ok()) {
    telemetry_->Crashed(end.exit_error);
  }
  events_.on_exited(
      OfReplica(end.exit_error.ok() ? EndedByOthersError() : end.exit_error,
                replica_, generation_));
}

void LivePlugin::RunPrepare(Prepare prepare, absl::Duration timeout) {
  prepares_->Post([self = shared_from_this(), client = client_,
                   prepare = std::move(prepare), timeout]() mutable {
    const HostCode::Visit visit(*self->host_code_);
    absl::Status prepared = prepare(*client, DeadlineAfter(timeout));
    if (!prepared.ok()) prepared = PrepareError(prepared);
    client.reset();
    prepare = nullptr;
    self->Post([prepared](LivePlugin& plugin) {
      if (plugin.ending_) return;
      plugin.events_.on_prepared(
          prepared.ok()
              ? prepared
              : OfReplica(prepared, plugin.replica_, plugin.generation_));
    });
  });
}

void LivePlugin::Check(absl::Duration timeout) {
  // Once the process exits, the calls' queue goes as soon as it is calm.
  if (!Runtime::CheckProcess().ok()) return;
  const CallPlace place = has_interceptors_
                              ? CallPlace::OnLane(checks_)
                              : CallPlace::Queue(runtime_->calls());
  check_ = CheckHealth(
      place, client_->channel(), timeout,
      [self = shared_from_this(), channel = client_->channel()](
          const grpc::Status& status,
          wire::HealthCheckResponse::ServingStatus serving) {
        self->Post(
            [answer = AnswerOf(status, serving, *channel)](LivePlugin& plugin) {
              plugin.check_ = CallHandle();
              if (!plugin.ending_) plugin.events_.on_health(answer);
            });
      });
}

void LivePlugin::End() {
  ending_ = true;
  if (!launching_) return BeginEnd();
  launch_.Cancel();
  GiveUp(SupervisorShutDownError());
}

void LivePlugin::BeginEnd() {
  check_.Cancel();
  Session::Of(*client_)->BeginShutdown();
}

void LivePlugin::Forget() {
  ending_ = true;
  check_.Cancel();
  // An event may be what leads here.
  Post([](LivePlugin& plugin) {
    const auto nothing = [](const absl::Status&) {};
    plugin.events_ = {[] {},   nothing, nothing, [](HealthAnswer) {},
                      nothing, nothing};
    plugin.making_.reset();
    plugin.target_.reset();
    plugin.client_.reset();
  });
}

PluginIdentity LivePlugin::identity() const {
  PluginIdentity identity;
  identity.name = name_;
  if (client_ != nullptr) identity.pid = std::max(client_->pid(), 0);
  identity.replica = replica_;
  identity.generation = generation_;
  return identity;
}

void LivePlugin::LookAtCalls(absl::Duration now) {
  if (target_ == nullptr) return;
  const std::uint64_t heard = target_->heard;
  if (target_->under_way == 0 || heard != heard_) quiet_since_ = now;
  heard_ = heard;
}

}  // namespace goplugin::internal
