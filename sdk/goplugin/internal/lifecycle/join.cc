#include "goplugin/internal/lifecycle/join.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/start/held_plugin_process.h"
#include "goplugin/internal/start/process_output.h"

namespace goplugin::internal {

Join::Join(const SourceContext& context, Search search)
    : runtime_(context.runtime),
      options_(context.options),
      output_(context.output),
      report_(context.report),
      stopwatch_(context.stopwatch),
      search_(std::move(search)) {}

void Join::Start(Done done) {
  done_ = std::move(done);
  searching_ = true;
  runtime_.spawner().Post([self = shared_from_this()]() mutable {
    absl::StatusOr<FoundPlugin> found = self->search_();
    // Handed on, not shared: timers must be destroyed on the loop.
    EventLoop& loop = self->runtime_.loop();
    loop.Post([self = std::move(self), found = std::move(found)]() mutable {
      self->OnFound(std::move(found));
    });
  });
}

void Join::Cancel() {
  if (over_) return;
  Fail(MakeError(Reason::kCancelled, "the way to the plugin was cancelled",
                 "LaunchOperation::Cancel was called by this host"));
}

void Join::OnFound(absl::StatusOr<FoundPlugin> found) {
  searching_ = false;
  if (over_) return ConcludeFailure();
  if (!found.ok()) return Fail(found.status());
  if (!found->note.empty()) output_->Note(LogLevel::kWarn, found->note);
  plugin_.name = found->target.name;
  plugin_.response = std::move(found->response);
  plugin_.channel = found->target.channel;
  plugin_.uses_tls = found->target.uses_tls;
  plugin_.broker_security = std::move(found->target.broker_security);
  plugin_.belongs_to_others = found->belongs_to_others;
  plugin_.can_be_reattached = found->can_be_reattached;
  plugin_.may_outlive = true;
  plugin_.in_this_process = found->in_this_process;
  plugin_.files = std::move(found->files);
  plugin_.no_broker = std::move(found->no_broker);
  if (found->make_process != nullptr) {
    PluginProcess::Callbacks callbacks = OutputCallbacks(*output_);
    callbacks.on_exit = [this](ExitStatus /*status*/) { OnExit(); };
    plugin_.process =
        std::move(found->make_process)(runtime_.loop(), std::move(callbacks));
  } else {
    plugin_.process = std::make_unique<UnseenPluginProcess>();
  }
  plugin_.timings.spawn = stopwatch_.Elapsed();
  plugin_.timings.line = plugin_.timings.spawn;
  report_(LaunchPhase::kStarted, plugin_.timings.spawn);
  connector_ = std::make_shared<Connector>(
      runtime_, std::move(found->target),
      [this](const absl::Status& status, Connector::Serving serving) {
        OnConnected(status, serving);
      });
  connector_->Start(stopwatch_.Remaining(options_.start_timeout));
}

void Join::OnConnected(const absl::Status& status, Connector::Serving serving) {
  if (!status.ok()) return Fail(status);
  over_ = true;
  if (plugin_.files == nullptr && plugin_.process->controllable() &&
      !plugin_.belongs_to_others) {
    const Endpoint& endpoint = plugin_.response.endpoint;
    plugin_.files = std::make_shared<PluginFiles>(
        endpoint.network == Endpoint::Network::kUnix
            ? SocketDirectory::Adopt(endpoint.address)
            : nullptr);
    plugin_.files->Remember(endpoint);
  }
  plugin_.is_serving = serving != wire::HealthCheckResponse::NOT_SERVING;
  plugin_.timings.connect = stopwatch_.Elapsed();
  report_(LaunchPhase::kConnected, plugin_.timings.connect);
  Done done = std::exchange(done_, nullptr);
  std::move(done)(std::move(plugin_));
}

void Join::OnExit() {
  if (over_) return;
  Fail(MakeError(Reason::kReattachNotFound,
                 "the plugin to reattach to ended meanwhile",
                 "start it again, and use the new reattach config"));
}

void Join::Fail(const absl::Status& status) {
  over_ = true;
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  details.evidence.push_back(
      absl::StrCat("after ", InMilliseconds(stopwatch_.Elapsed())));
  failure_ = MakeError(details);
  if (connector_ != nullptr) {
    connector_->set_on_idle([this] { ConcludeLater(); });
    connector_->Cancel();
  }
  ConcludeLater();
}

// Not at once: the caller may be a callback of what is destroyed then.
void Join::ConcludeLater() {
  runtime_.loop().Post(
      [self = shared_from_this()] { self->ConcludeFailure(); });
}

void Join::ConcludeFailure() {
  if (done_ == nullptr || searching_) return;
  if (connector_ != nullptr && connector_->busy()) return;
  plugin_ = ReadyPlugin();
  Done done = std::exchange(done_, nullptr);
  std::move(done)(failure_);
}

}  // namespace goplugin::internal
