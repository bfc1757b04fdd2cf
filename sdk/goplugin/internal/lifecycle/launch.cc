#include "goplugin/internal/lifecycle/launch.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/connect/open_channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/start/options_check.h"
#include "goplugin/internal/start/process_output.h"
#include "goplugin/internal/tls/key_pair_stock.h"

namespace goplugin::internal {
namespace {

// After an odd candidate for the handshake line, this much silence ends the
// search.
constexpr absl::Duration kSilence = absl::Seconds(1);
// After the end of stdout the exit usually follows, and tells more.
constexpr absl::Duration kExitAfterStdoutEnd = absl::Milliseconds(500);

HandshakePolicy PolicyOf(const ClientOptions& options) {
  HandshakePolicy policy;
  policy.protocol_versions = options.handshake.protocol_versions;
  policy.networks = options.networks;
  policy.multiplex_requested = options.multiplex != Multiplex::kNever;
  return policy;
}

// How often a socket that is not there yet is looked for.
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);

// What the plugin's user gets to the host's sockets by: nullopt where it is the
// host's.
absl::optional<gid_t> GuestGroup(const ClientOptions& options,
                                 const absl::optional<Command::User>& user,
                                 const SocketDirectory* lent) {
  if (user.has_value()) return user->gid;
  struct stat directory = {};
  if (options.socket_group.empty() || lent == nullptr ||
      stat(lent->path().c_str(), &directory) != 0) {
    return absl::nullopt;
  }
  return directory.st_gid;
}

// Doors may be asked for as long as somebody holds a broker.
MakeDoorSocket DoorMaker(const std::shared_ptr<PluginFiles>& files) {
  return [weak = std::weak_ptr<PluginFiles>(
              files)]() -> absl::StatusOr<DoorSocket> {
    const std::shared_ptr<PluginFiles> held = weak.lock();
    if (held == nullptr) {
      return MakeError(Reason::kShutDown, "the client has ended",
                       "dial while it lives");
    }
    absl::StatusOr<SocketPlace> place = held->Doors();
    if (!place.ok()) return place.status();
    return MakeDoorSocketIn(*place->directory);
  };
}

}  // namespace

MakeSource LaunchSource(PluginStart start) {
  return [start = std::move(start)](const SourceContext& context) {
    return std::make_shared<Launch>(context, start);
  };
}

template <typename Ask, typename Then>
void Launch::AskUser(Ask ask, Then then) {
  // A queue of its own: a sink that is stuck must not be in the way.
  const auto queue = std::make_shared<CallbackQueue>(runtime_.callbacks(),
                                                     [](size_t /*dropped*/) {});
  queue->Post([&loop = runtime_.loop(), weak = weak_from_this(),
               ask = std::move(ask), then = std::move(then)] {
    loop.Post([weak, then, answer = ask()] {
      if (const auto self = weak.lock()) then(*self, answer);
    });
  });
}

Launch::Launch(const SourceContext& context, PluginStart start)
    : runtime_(context.runtime),
      start_(std::move(start)),
      options_(context.options),
      output_(context.output),
      report_(context.report),
      stopwatch_(context.stopwatch),
      deadline_(runtime_.loop()),
      notice_(runtime_.loop()),
      quiet_(runtime_.loop()),
      reader_(PolicyOf(options_)) {
  plugin_.name = start_.name;
  plugin_.peers = start_.peers;
  if (options_.allow_remote_tcp) plugin_.peers.loopback_only = false;
  plugin_.may_outlive = start_.may_outlive;
}

void Launch::Start(Done done) {
  done_ = std::move(done);
  const absl::Status usable = start_.check(options_);
  if (!usable.ok()) {
    runtime_.loop().Post(
        [self = shared_from_this(), usable] { self->Fail(usable); });
    return;
  }
  starting_ = true;
  // The loop hears of the deadline before it can hear of the process.
  runtime_.loop().Post([self = shared_from_this()] { self->StartTimers(); });
  StartPlugin();
}

void Launch::StartTimers() {
  if (over_) return;
  deadline_.Start(stopwatch_.Remaining(options_.start_timeout),
                  [this] { OnDeadline(); });
  notice_.Start(options_.slow_start_notice, [this] { OnSlowStart(); });
}

void Launch::StartPlugin() {
  runtime_.spawner().Post([self = shared_from_this()]() mutable {
    Runtime& runtime = self->runtime_;
    const absl::Duration left =
        self->stopwatch_.Remaining(self->options_.start_timeout);
    absl::StatusOr<StartedPlugin> started =
        self->start_.run({runtime, self->options_, left, self->abandoned_});
    const absl::Duration when = self->stopwatch_.Elapsed();
    // Prepares what this launch or the next one will need, while the plugin
    // starts. Not without one.
    std::shared_ptr<Launch> preparing = started.ok() ? self : nullptr;
    // Handed on, not shared: timers must be destroyed on the loop.
    runtime.loop().Post(
        [self = std::move(self), started = std::move(started), when]() mutable {
          self->OnStarted(std::move(started), when);
        });
    if (preparing == nullptr) return;
    runtime.calls();
    ShutDownChannel();
    KeyPairStock::Refill();
    runtime.loop().Post([preparing = std::move(preparing)]() mutable {
      preparing->OnPrepared();
    });
  });
}

void Launch::Cancel() {
  if (over_) return;
  Fail(MakeError(Reason::kCancelled, "the launch was cancelled",
                 "LaunchOperation::Cancel was called by this host"));
}

void Launch::OnStarted(absl::StatusOr<StartedPlugin> started,
                       absl::Duration when) {
  starting_ = false;
  if (!started.ok()) {
    if (over_) return ConcludeFailure();
    return Fail(started.status());
  }
  preparing_ = true;
  plugin_.name = std::move(started->name);
  const absl::optional<gid_t> guests =
      GuestGroup(options_, start_.user, started->directory.get());
  if (plugin_.peers.user.has_value()) {
    plugin_.guests = {
        /*everybody=*/false, {geteuid(), *plugin_.peers.user}, guests};
  }
  plugin_.files =
      std::make_shared<PluginFiles>(std::move(started->directory), guests);
  plugin_.translation = std::move(started->translation);
  key_pair_ = std::move(started->key_pair);
  diagnose_ = std::move(started->diagnose);
  plugin_.process =
      std::move(started->make_process)(runtime_.loop(), ProcessCallbacks());
  if (over_) return plugin_.process->Signal(SIGKILL);
  if (!start_.user.has_value() && plugin_.peers.user.has_value()) {
    plugin_.peers.process = plugin_.process->pid();
  }
  plugin_.timings.spawn = when;
  report_(LaunchPhase::kStarted, when);
}

PluginProcess::Callbacks Launch::ProcessCallbacks() {
  PluginProcess::Callbacks callbacks = OutputCallbacks(*output_);
  callbacks.on_stdout = [this](absl::string_view bytes) { OnStdout(bytes); };
  callbacks.on_stdout_end = [this] { OnStdoutEnd(); };
  callbacks.on_exit = [this](ExitStatus /*status*/) { OnExit(); };
  return callbacks;
}

void Launch::OnStdout(absl::string_view bytes) {
  if (!reading()) return output_->OnStdout(bytes);
  AfterReading(reader_.Feed(bytes));
}

void Launch::AfterReading(HandshakeReader::State state) {
  // What is not the line is ordinary output.
  output_->OnStdout(reader_.TakeNoise());
  switch (state) {
    case HandshakeReader::State::kSearching:
      return;
    case HandshakeReader::State::kCandidate:
      quiet_.Start(kSilence,
                   [this] { FinishReading(HandshakeReader::End::kSilence); });
      return;
    case HandshakeReader::State::kDone:
      output_->OnStdout(reader_.TakeRest());
      if (!reader_.has_response()) return Fail(reader_.result().status());
      OnLine(*reader_.result());
  }
}

void Launch::FinishReading(HandshakeReader::End end) {
  if (reading()) AfterReading(reader_.Finish(end));
}

void Launch::OnStdoutEnd() {
  if (!reading()) return;
  quiet_.Start(kExitAfterStdoutEnd,
               [this] { FinishReading(HandshakeReader::End::kEndOfFile); });
}

void Launch::OnExit() {
  output_->FinishStderr();
  if (over_) return ConcludeLater();
  FinishReading(HandshakeReader::End::kExited);
  // A plugin may print its line and die: then the line was found just now, or
  // long ago.
  if (over_) return;
  Fail(MakeError(Reason::kExitedEarly,
                 "the plugin ended after its handshake line, before it was "
                 "ready",
                 "see its last words on stderr; its server may have failed to "
                 "start"));
}

void Launch::OnSlowStart() {
  output_->Note(
      LogLevel::kWarn,
      absl::StrCat("the plugin ", plugin_.name,
                   " has not printed its handshake line after ",
                   InMilliseconds(stopwatch_.Elapsed()), "; waiting up to ",
                   absl::FormatDuration(options_.start_timeout), " for it (",
                   plugin_.process == nullptr
                       ? "it is being started"
                       : absl::StrCat("pid ", plugin_.process->pid()),
                   ")"));
}

void Launch::OnDeadline() {
  if (!looked_.ok()) {
    return Fail(
        NobodyThere(plugin_.response.endpoint, looked_, since_line_.Elapsed()));
  }
  if (has_line_ && !plugin_.response.endpoint.address.empty()) {
    return Fail(MakeError(
        Reason::kConnect,
        absl::StrCat("what is at ", plugin_.response.endpoint.ToString(),
                     " could not be looked at within the start timeout"),
        "the file system there does not answer"));
  }
  if (has_line_) {
    return Fail(MakeError(
        Reason::kHandshakeTimeout,
        "the plugin's address was not translated within the start timeout",
        "the runner's PluginToHost must return soon"));
  }
  if (!starting_) return FinishReading(HandshakeReader::End::kDeadline);
  Fail(MakeError(Reason::kHandshakeTimeout,
                 absl::StrCat("the plugin ", plugin_.name,
                              " was not started within the start timeout"),
                 "raise start_timeout: a big program on a slow disk takes its "
                 "time to be hashed, and launches wait for each other then"));
}

void Launch::OnLine(const HandshakeResponse& response) {
  has_line_ = true;
  notice_.Cancel();
  quiet_.Cancel();
  plugin_.response = response;
  if (plugin_.translation.to_here == nullptr) {
    return OnAddress(response.endpoint);
  }
  // Until it is known, there is no endpoint of this host's.
  plugin_.response.endpoint = Endpoint();
  Translate(response.endpoint);
}

void Launch::Translate(const Endpoint& announced) {
  AskUser([translate = plugin_.translation.to_here,
           announced] { return translate(announced); },
          [](Launch& self, const absl::StatusOr<Endpoint>& address) {
            if (!self.over_) self.OnAddress(address);
          });
}

void Launch::OnAddress(const absl::StatusOr<Endpoint>& address) {
  if (!address.ok()) return Fail(address.status());
  plugin_.response.endpoint = *address;
  plugin_.files->Remember(*address);
  plugin_.timings.line = stopwatch_.Elapsed();
  report_(LaunchPhase::kLine, plugin_.timings.line);
  const absl::StatusOr<bool> multiplexed = Multiplexes();
  if (!multiplexed.ok()) return Fail(multiplexed.status());
  since_line_ = Stopwatch();
  LookThere(*multiplexed);
}

void Launch::LookThere(bool multiplexed) {
  ApproachRequest request;
  request.endpoint = plugin_.response.endpoint;
  request.peers = plugin_.peers;
  request.multiplexed = multiplexed;
  request.make_door = DoorMaker(plugin_.files);
  AskUser(
      [request = std::move(request)] {
        return std::make_shared<absl::StatusOr<Approach>>(
            FindApproach(request));
      },
      [multiplexed](Launch& self,
                    const std::shared_ptr<absl::StatusOr<Approach>>& found) {
        if (!self.over_) self.OnLooked(std::move(*found), multiplexed);
      });
}

void Launch::OnLooked(absl::StatusOr<Approach> found, bool multiplexed) {
  if (found.ok()) {
    deadline_.Cancel();
    approach_ = *std::move(found);
    return Connect(plugin_.response, multiplexed);
  }
  if (!MayStillCome(found.status())) return Fail(found.status());
  looked_ = found.status();
  if (since_line_.Elapsed() >= Connector::kPatience) return OnDeadline();
  quiet_.Start(kLookAgain, [this, multiplexed] { LookThere(multiplexed); });
}

absl::StatusOr<bool> Launch::Multiplexes() const {
  if (options_.multiplex == Multiplex::kNever) return false;
  if (plugin_.response.multiplex.value_or(false)) return true;
  if (options_.multiplex == Multiplex::kIfOffered) return false;
  return MakeError(
      Reason::kMuxUnsupported,
      plugin_.response.multiplex.has_value()
          ? "the plugin says that it does not multiplex"
          : "the plugin does not say that it multiplexes",
      "build it with go-plugin 1.6 or later, or with this library; or set "
      "multiplex to Multiplex::kIfOffered or kNever");
}

absl::Status Launch::OpenMux() {
  MuxLink::Callbacks callbacks;
  callbacks.warn = [output = output_](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  callbacks.on_end = [this](const absl::Status& status) { OnMuxEnd(status); };
  MuxLink::Target target;
  target.endpoint = plugin_.response.endpoint;
  target.way = approach_.way;
  target.peers = plugin_.peers;
  target.main_door = std::move(approach_.door);
  target.make_door = DoorMaker(plugin_.files);
  absl::StatusOr<std::unique_ptr<MuxLink>> link =
      MuxLink::Open(runtime_.loop(), std::move(target), std::move(callbacks));
  if (!link.ok()) return link.status();
  plugin_.mux = *std::move(link);
  return absl::OkStatus();
}

void Launch::OnMuxEnd(const absl::Status& status) {
  if (over_) return;
  // The plugin's exit, if that is why, says more.
  quiet_.Start(kExitAfterStdoutEnd, [this, status] {
    if (!over_) Fail(status);
  });
}

void Launch::Connect(const HandshakeResponse& response, bool multiplexed) {
  if (multiplexed) {
    const absl::Status opened = OpenMux();
    if (!opened.ok()) return Fail(opened);
  }
  const Endpoint door =
      multiplexed ? plugin_.mux->main_door() : approach_.way->endpoint();
  absl::StatusOr<ConnectTarget> target = OpenPluginChannel(
      options_, key_pair_, response, door, std::move(approach_.way));
  if (!target.ok()) return Fail(target.status());
  plugin_.channel = target->channel;
  plugin_.uses_tls = target->uses_tls;
  plugin_.broker_security = std::move(target->broker_security);
  plugin_.can_be_reattached =
      !target->announced.has_value() && plugin_.mux == nullptr;
  if (!plugin_.uses_tls && options_.tls.mode == TlsMode::kAutoMtlsIfOffered) {
    output_->Note(LogLevel::kInfo,
                  "the plugin announced no certificate: the connection has no "
                  "TLS");
  }
  connector_ = std::make_shared<Connector>(
      runtime_, *std::move(target),
      [this](const absl::Status& status, Connector::Serving serving) {
        OnConnected(status, serving);
      });
  connector_->Start(stopwatch_.Remaining(options_.start_timeout));
}

void Launch::OnConnected(const absl::Status& status,
                         Connector::Serving serving) {
  if (!status.ok()) return Fail(status);
  connected_ = true;
  plugin_.is_serving = serving != wire::HealthCheckResponse::NOT_SERVING;
  plugin_.files->Remember(plugin_.response.endpoint);
  plugin_.timings.connect = stopwatch_.Elapsed();
  report_(LaunchPhase::kConnected, plugin_.timings.connect);
  if (!preparing_) HandOver();
}

// Whoever hears of a launch may exit at once: the spawner must not be at work
// in OpenSSL or gRPC then.
void Launch::OnPrepared() {
  preparing_ = false;
  if (over_) return ConcludeFailure();
  if (connected_) HandOver();
}

void Launch::HandOver() {
  over_ = true;
  Done done = std::exchange(done_, nullptr);
  std::move(done)(std::move(plugin_));
}

void Launch::Fail(const absl::Status& status) {
  over_ = true;
  abandoned_ = true;
  deadline_.Cancel();
  notice_.Cancel();
  quiet_.Cancel();
  failure_ = WithEvidence(status);
  if (plugin_.files != nullptr) {
    plugin_.files->Remember(plugin_.response.endpoint);
    // A path of the plugin's own says nothing here.
    if (!reader_.has_response() && plugin_.translation.to_here == nullptr) {
      plugin_.files->Remember(
          Endpoint{Endpoint::Network::kUnix, reader_.unused_socket()});
    }
  }
  if (connector_ != nullptr) {
    connector_->set_on_idle([this] { ConcludeLater(); });
    connector_->Cancel();
  }
  Diagnose();
  if (plugin_.process != nullptr) plugin_.process->Signal(SIGKILL);
  deadline_.Start(options_.shutdown.kill_timeout, [this] {
    gave_up_ = true;
    ConcludeFailure();
  });
  ConcludeLater();
}

void Launch::Diagnose() {
  if (diagnose_ == nullptr) return;
  diagnosing_ = true;
  AskUser(std::exchange(diagnose_, nullptr),
          [](Launch& self, std::string diagnosis) {
            self.diagnosing_ = false;
            self.diagnosis_ = std::move(diagnosis);
            self.ConcludeFailure();
          });
}

// Not at once: the caller may be a callback of what is destroyed then.
void Launch::ConcludeLater() {
  runtime_.loop().Post(
      [self = shared_from_this()] { self->ConcludeFailure(); });
}

void Launch::ConcludeFailure() {
  if (done_ == nullptr) return;
  const bool running =
      plugin_.process != nullptr && !plugin_.process->exit_status().has_value();
  const bool connecting = connector_ != nullptr && connector_->busy();
  if (starting_ || preparing_ || connecting) return;
  if ((running || diagnosing_) && !gave_up_) return;
  deadline_.Cancel();
  // The last words may have come after the failure.
  const absl::Status failure = WithEvidence(failure_);
  plugin_ = ReadyPlugin();
  // Calling it does not empty it, and several ways here may be under way.
  Done done = std::exchange(done_, nullptr);
  std::move(done)(failure);
}

absl::Status Launch::WithEvidence(const absl::Status& status) const {
  ErrorDetails details = GetErrorDetails(status).value_or(ErrorDetails());
  if (failure_.ok()) {
    if (plugin_.process != nullptr) {
      const pid_t pid = plugin_.process->pid();
      details.evidence.push_back(absl::StrCat(
          "plugin ", plugin_.name, pid > 0 ? absl::StrCat(", pid ", pid) : ""));
      // Not the SIGKILL that follows a failure.
      details.exit_status = plugin_.process->exit_status();
    }
    details.evidence.push_back(
        absl::StrCat("after ", InMilliseconds(stopwatch_.Elapsed())));
  } else {
    AddLastEvidence(details);
  }
  output_->AddEvidence(details);
  return MakeError(details);
}

void Launch::AddLastEvidence(ErrorDetails& details) const {
  if (!diagnosis_.empty()) {
    details.evidence.push_back(
        absl::StrCat("the runner's diagnosis: ", Quote(diagnosis_)));
  }
  if (plugin_.process == nullptr) return;
  if (!plugin_.process->trouble().empty()) {
    details.evidence.push_back(plugin_.process->trouble());
  }
  if (!plugin_.process->exit_status().has_value()) {
    details.evidence.push_back("it was killed, and is still there");
  }
}

}  // namespace goplugin::internal
