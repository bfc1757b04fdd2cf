#include "goplugin/internal/lifecycle/join.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/connect/open_channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/steps.h"
#include "goplugin/internal/start/held_plugin_process.h"

namespace goplugin::internal {
namespace {

// By target or by endpoint, as the plugin is known.
absl::StatusOr<ConnectTarget> OpenChannel(ClientOptions options,
                                          const FoundPlugin& found,
                                          Runtime& runtime) {
  if (found.insecure) {
    options.tls = TlsOptions();
    options.tls.mode = TlsMode::kInsecure;
  }
  const std::shared_ptr<CallBell>& bell = runtime.calls().bell();
  absl::StatusOr<ConnectTarget> target =
      found.target.has_value()
          ? OpenTargetChannel(options, *found.target, found.credentials, bell)
          : OpenPluginChannel(options, absl::nullopt, found.response,
                              {found.way}, bell);
  if (!target.ok()) return target;
  if (!found.name.empty()) target->name = found.name;
  if (!found.nobody_hint.empty()) target->nobody_hint = found.nobody_hint;
  return target;
}

}  // namespace

MakeSource JoinSource(PluginSearch search) {
  return [search = std::move(search)](const SourceContext& context) {
    return std::make_shared<Join>(context, search);
  };
}

Join::Join(const SourceContext& context, PluginSearch search)
    : context_(context),
      search_(std::move(search)),
      deadline_(context.runtime.loop()) {}

void Join::Start(Done done) {
  done_ = std::move(done);
  context_.keeper->set_events(
      {/*on_exit=*/[this](ExitStatus /*status*/) { OnExit(); },
       /*on_closing=*/nullptr, /*on_disconnect=*/nullptr,
       /*on_ended=*/[this] { OnEnded(); }});
  deadline_.Start(context_.stopwatch.Remaining(context_.options.start_timeout),
                  [this] { OnDeadline(); });
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [search = search_, options = context_.options, begun = begun_,
       &runtime = context_.runtime]() -> absl::StatusOr<Found> {
        *begun = true;
        const absl::Status usable = runtime.MakeCalls();
        if (!usable.ok()) return usable;
        return Search(search, options, runtime);
      },
      [](Join& self, absl::StatusOr<Found> found) {
        self.OnFound(std::move(found));
      });
}

absl::StatusOr<Join::Found> Join::Search(const PluginSearch& search,
                                         const ClientOptions& options,
                                         Runtime& runtime) {
  absl::StatusOr<FoundPlugin> plugin = search(options, runtime.work());
  if (!plugin.ok()) return plugin.status();
  absl::StatusOr<ConnectTarget> target = OpenChannel(options, *plugin, runtime);
  if (!target.ok()) return target.status();
  return Found{*std::move(plugin), *std::move(target)};
}

void Join::Cancel() {
  Fail(MakeError(Reason::kCancelled, "the way to the plugin was cancelled",
                 "LaunchOperation::Cancel was called by this host"));
}

void Join::OnDeadline() {
  if (state_ == State::kConnecting) {
    return Fail(MakeError(
        Reason::kConnect,
        "the plugin's health was not checked within the start timeout",
        "the host's interceptors must return soon, and the file system must "
        "answer"));
  }
  if (!*begun_) return Fail(NoFreeThread());
  Fail(MakeError(Reason::kReattachNotFound,
                 "the plugin was not found within the start timeout",
                 "raise start_timeout; a runner's Attach and the host's "
                 "interceptors must return soon"));
}

void Join::OnFound(absl::StatusOr<Found> found) {
  if (state_ != State::kSearching) return;
  if (!found.ok()) return Fail(found.status());
  state_ = State::kConnecting;
  // The connector has the same deadline, and tells more.
  deadline_.Start(
      context_.stopwatch.Remaining(context_.options.start_timeout) + kBackstop,
      [this] { OnDeadline(); });
  FoundPlugin& plugin = found->plugin;
  ConnectTarget& target = found->target;
  if (!plugin.note.empty()) {
    context_.output->Note(LogLevel::kWarn, plugin.note);
  }
  plugin_.name = target.name;
  plugin_.response = std::move(plugin.response);
  if (plugin.target.has_value()) {
    plugin_.response.endpoint = target.endpoint.value_or(
        Endpoint{Endpoint::Network::kTcp, *plugin.target});
  }
  plugin_.uses_tls = target.uses_tls;
  plugin_.early_calls = target.early_calls;
  plugin_.broker_security = std::move(target.broker_security);
  plugin_.belongs_to_others = plugin.belongs_to_others;
  plugin_.can_be_reattached = plugin.can_be_reattached;
  plugin_.may_outlive = true;
  plugin_.in_this_process = plugin.in_this_process;
  plugin_.no_broker = std::move(plugin.no_broker);
  files_request_ = std::move(plugin.files_request);
  context_.keeper->KeepFiles(std::move(plugin.files), context_.output);
  context_.keeper->KeepChannel(target.channel);
  KeepProcess(std::move(plugin.make_process));
  plugin_.timings.spawn = context_.stopwatch.Elapsed();
  plugin_.timings.line = plugin_.timings.spawn;
  context_.report(LaunchPhase::kStarted, plugin_.timings.spawn);
  connector_ = std::make_shared<Connector>(
      ThreadsFor(context_), std::move(target),
      [this](const absl::Status& status, Connector::Serving serving) {
        OnConnected(status, serving);
      });
  connector_->Start(
      context_.stopwatch.Remaining(context_.options.start_timeout));
}

void Join::KeepProcess(MakePluginProcess make_process) {
  if (make_process == nullptr) {
    return context_.keeper->KeepProcess(
        std::make_unique<UnseenPluginProcess>());
  }
  context_.keeper->KeepProcess(std::move(make_process)(
      context_.runtime.loop(),
      context_.keeper->ProcessCallbacks(*context_.output)));
}

void Join::OnConnected(const absl::Status& status, Connector::Serving serving) {
  if (state_ != State::kConnecting) return;
  if (!status.ok()) return Fail(status);
  plugin_.is_serving = serving != wire::HealthCheckResponse::NOT_SERVING;
  plugin_.timings.connect = context_.stopwatch.Elapsed();
  context_.report(LaunchPhase::kConnected, plugin_.timings.connect);
  AdoptFiles();
}

// The plugin's own where its end will be this client's work.
void Join::AdoptFiles() {
  PluginKeeper& keeper = *context_.keeper;
  if (keeper.files() != nullptr) return HandOver();
  const Endpoint& endpoint = plugin_.response.endpoint;
  if (!keeper.process()->controllable() || plugin_.belongs_to_others ||
      endpoint.network != Endpoint::Network::kUnix) {
    keeper.KeepFiles(PluginFiles::Create(std::move(files_request_)),
                     context_.output);
    return HandOver();
  }
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [endpoint, request = std::move(files_request_)] {
        std::shared_ptr<PluginFiles> files =
            PluginFiles::Adopt(endpoint.address, request);
        files->Remember(endpoint);
        return files;
      },
      [](Join& self, std::shared_ptr<PluginFiles> files) {
        if (self.state_ != State::kConnecting) return;
        self.context_.keeper->KeepFiles(std::move(files), self.context_.output);
        self.HandOver();
      });
}

void Join::HandOver() {
  state_ = State::kOver;
  deadline_.Cancel();
  connector_.reset();
  std::move(done_)(std::move(plugin_));
}

void Join::OnExit() {
  Fail(MakeError(Reason::kReattachNotFound,
                 "the plugin to reattach to ended meanwhile",
                 "start it again, and use the new reattach config"));
}

void Join::Fail(const absl::Status& status) {
  if (state_ == State::kEnding || state_ == State::kOver) return;
  state_ = State::kEnding;
  deadline_.Cancel();
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  details.evidence.push_back(
      absl::StrCat("after ", InMilliseconds(context_.stopwatch.Elapsed())));
  failure_ = MakeError(details);
  if (connector_ != nullptr) connector_->Cancel();
  if (plugin_.in_this_process) return context_.keeper->Kill();
  context_.keeper->Release();
}

void Join::OnEnded() {
  state_ = State::kOver;
  connector_.reset();
  std::move(done_)(failure_);
}

}  // namespace goplugin::internal
