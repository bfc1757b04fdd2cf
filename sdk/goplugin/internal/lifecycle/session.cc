#include "goplugin/internal/lifecycle/session.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/live_sessions.h"
#include "goplugin/internal/lifecycle/process_control.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/rpc/health.h"
#include "goplugin/internal/rpc/stdio_stream.h"
#include "goplugin/internal/start/process_output.h"

namespace goplugin::internal {
namespace {

// For the last stdio data of a process that is gone. Its end of the connection
// is closed, so the stream's end is near.
constexpr absl::Duration kStdioAfterExit = absl::Milliseconds(500);
// How long a failed call waits for the exit that may have caused it.
constexpr absl::Duration kExplainWait = absl::Seconds(1);

OutputSinks SinksOf(const ClientOptions& options) {
  OutputSinks sinks;
  sinks.log = options.log_sink;
  sinks.stderr_raw = options.stderr_sink;
  sinks.stdio = options.stdio_sink;
  return sinks;
}

std::shared_ptr<CallbackQueue> MakeQueue(Runtime& runtime,
                                         const ClientOptions& options) {
  return std::make_shared<CallbackQueue>(
      runtime.callbacks(), [sink = options.log_sink](size_t dropped) {
        if (sink == nullptr) return;
        sink->Log(PluginOutput::SdkEntry(
            LogLevel::kWarn,
            absl::StrCat(dropped,
                         " entries of logs or output were dropped: this sink "
                         "is slower than the plugin")));
      });
}

StdioChunk::Stream StreamOf(const wire::StdioData& data) {
  return data.channel() == wire::StdioData::STDERR
             ? StdioChunk::Stream::kStderr
             : StdioChunk::Stream::kStdout;
}

absl::Status ShutDownError() {
  return MakeError(Reason::kShutDown, "the client was shut down",
                   "make no calls after Shutdown, Kill or Detach");
}

}  // namespace

absl::StatusOr<std::shared_ptr<Session>> Session::Create(
    MakeSource source, ClientOptions options) {
  absl::StatusOr<std::shared_ptr<Runtime>> runtime = Runtime::Acquire();
  if (!runtime.ok()) return runtime.status();
  return std::shared_ptr<Session>(
      new Session(*std::move(runtime), std::move(source), std::move(options)));
}

Session::Session(std::shared_ptr<Runtime> runtime, MakeSource source,
                 ClientOptions options)
    : owner_(getpid()),
      make_source_(std::move(source)),
      options_(std::move(options)),
      runtime_(std::move(runtime)),
      callbacks_(MakeQueue(*runtime_, options_)),
      state_(std::make_shared<SessionState>()),
      output_(std::make_shared<PluginOutput>(SinksOf(options_), callbacks_)) {}

void Session::Start(absl::AnyInvocable<void(absl::Status) &&> ready) {
  self_ = shared_from_this();
  ready_ = std::move(ready);
  auto report = [this](LaunchPhase phase, absl::Duration when) {
    Report(phase, when);
  };
  source_ = make_source_({*runtime_, options_, output_, report, stopwatch_});
  source_->Start([this](absl::StatusOr<ReadyPlugin> plugin) {
    OnReady(std::move(plugin));
  });
}

void Session::CancelStart() {
  runtime_->loop().Post([self = shared_from_this()] {
    if (self->source_ != nullptr) self->source_->Cancel();
  });
}

void Session::PostCallback(absl::AnyInvocable<void()> callback) {
  callbacks_->Post(std::move(callback));
}

void Session::Report(LaunchPhase phase, absl::Duration when) {
  if (options_.on_phase == nullptr) return;
  PostCallback(
      [report = options_.on_phase, phase, when] { report(phase, when); });
}

void Session::OnReady(absl::StatusOr<ReadyPlugin> plugin) {
  if (plugin.ok()) {
    plugin->timings.ready = stopwatch_.Elapsed();
    Report(LaunchPhase::kReady, plugin->timings.ready);
    Live(*std::move(plugin));
    // Not while it calls.
    runtime_->loop().Post(
        [self = shared_from_this()] { self->source_.reset(); });
    std::move(ready_)(absl::OkStatus());
    // The caller need not wait for them.
    StartStdio();
    broker_->Open(runtime_->calls(), plugin_.channel);
    return;
  }
  Leave([ready = std::move(ready_), status = plugin.status()]() mutable {
    std::move(ready)(status);
  });
}

void Session::Live(ReadyPlugin plugin) {
  plugin_ = std::move(plugin);
  if (!plugin_.is_serving) {
    output_->Note(LogLevel::kWarn,
                  "the plugin is reachable, but its health service says "
                  "NOT_SERVING");
  }
  PluginProcess::Callbacks callbacks = OutputCallbacks(*output_);
  callbacks.on_exit = [this](ExitStatus status) { OnProcessExit(status); };
  plugin_.process->set_callbacks(std::move(callbacks));
  if (plugin_.mux != nullptr) {
    plugin_.mux->set_on_end(
        [this](const absl::Status& status) { OnMuxEnd(status); });
  }
  Tell();
  LiveSessions::Add(shared_from_this());
}

void Session::Tell() {
  state_->response = plugin_.response;
  state_->timings = plugin_.timings;
  state_->pid = plugin_.process->pid();
  state_->uses_tls = plugin_.uses_tls;
  state_->multiplexed = plugin_.mux != nullptr;
  state_->sees_exit = plugin_.process->controllable();
  state_->may_kill = CheckMayKill(plugin_);
  state_->may_detach = CheckMayDetach(plugin_);
  state_->reattach_config = ReattachConfigOf(plugin_);
  state_->set_channel(plugin_.channel);
  MakeBroker();
}

namespace {

// The broker may outlive the files.
std::function<absl::StatusOr<BrokerDirectory>()> BrokerDirectories(
    const std::shared_ptr<PluginFiles>& files) {
  if (files == nullptr) return nullptr;
  return [weak = std::weak_ptr<PluginFiles>(
              files)]() -> absl::StatusOr<BrokerDirectory> {
    const std::shared_ptr<PluginFiles> held = weak.lock();
    if (held == nullptr) return ShutDownError();
    absl::StatusOr<SocketPlace> place = held->Brokered();
    if (!place.ok()) return place.status();
    return BrokerDirectory{place->directory, place->mode};
  };
}

}  // namespace

void Session::MakeBroker() {
  BrokerSetup setup;
  setup.peer = "plugin";
  setup.network = plugin_.response.endpoint.network;
  setup.sockets.directory = BrokerDirectories(plugin_.files);
  setup.sockets.guests = plugin_.guests;
  setup.peers = plugin_.peers;
  setup.security = std::move(plugin_.broker_security);
  setup.translation = plugin_.translation;
  setup.keep = options_.broker_keep;
  setup.warn = [output = output_](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  // Whoever dials holds the client, and so the queue.
  setup.hurry = [&calls = runtime_->calls()] {
    return std::make_shared<CallQueue::Hurry>(calls);
  };
  if (plugin_.mux != nullptr) setup.multiplexer = plugin_.mux->multiplexer();
  // A queue of its own: a sink that is stuck must not be in the way.
  const auto queue = std::make_shared<CallbackQueue>(runtime_->callbacks(),
                                                     [](size_t /*dropped*/) {});
  setup.acceptors = Acceptors::Create(
      runtime_->loop(),
      [queue](absl::AnyInvocable<void()> task) {
        queue->Post(std::move(task));
      },
      setup.warn);
  broker_ = std::make_unique<SessionBroker>(std::move(setup));
  if (!plugin_.no_broker.empty()) {
    broker_->End(MakeError(Reason::kBrokerUnsupported, plugin_.no_broker,
                           "launch the plugin with the host that needs its "
                           "broker"));
  }
}

// No call works any more, and the plugin may run on: it is not this library's
// to end it unasked.
void Session::OnMuxEnd(const absl::Status& status) {
  // On the way to an exit it is what was to be expected.
  if (exited_ || ladder_ != nullptr) return;
  state_->set_lost(status);
  mux_end_ = std::make_unique<Timer>(runtime_->loop());
  mux_end_->Start(kExplainWait, [this, status] {
    if (exited_ || ladder_ != nullptr) return;
    output_->Note(LogLevel::kError, std::string(status.message()));
    broker_->End(status);
  });
}

void Session::StartStdio() {
  stdio_open_ = true;
  StdioCallbacks callbacks;
  callbacks.on_data = [output = output_](wire::StdioData data) {
    output->OnStdio(StreamOf(data), std::move(*data.mutable_data()));
  };
  // The session does not end before this was called.
  callbacks.on_end = [this](const grpc::Status& /*status*/) {
    runtime_->loop().Post([this] { OnStdioEnd(); });
  };
  stdio_ = StartStdioStream(runtime_->calls(), plugin_.channel,
                            std::move(callbacks));
}

void Session::BeginShutdown() {
  if (state_->ended()) return;
  runtime_->loop().Post(
      [self = shared_from_this()] { self->StartLadder(/*kill=*/false); });
}

void Session::BeginKill() {
  if (state_->ended()) return;
  runtime_->loop().Post(
      [self = shared_from_this()] { self->StartLadder(/*kill=*/true); });
}

void Session::StartLadder(bool kill) {
  if (exited_) return;
  if (plugin_.belongs_to_others || (kill && !plugin_.process->controllable())) {
    return Release();
  }
  if (ladder_ == nullptr) {
    broker_->End(ShutDownError());
    ShutdownLadder::Callbacks callbacks;
    callbacks.drop_channel = [this] { DropChannel(); };
    callbacks.on_idle = [this] { FinishIfIdle(); };
    callbacks.give_up = [this] {
      exited_ = true;
      ladder_->Stop();
      FinishIfIdle();
    };
    callbacks.let_go = [this] { Release(); };
    ladder_ = std::make_shared<ShutdownLadder>(
        *runtime_, options_.shutdown, *plugin_.process, std::move(callbacks));
    if (!kill) ladder_->Start(plugin_.channel);
  }
  if (kill) ladder_->Kill();
}

void Session::Release() {
  if (exited_) return;
  exited_ = true;
  released_ = true;
  if (ladder_ != nullptr) ladder_->Stop();
  broker_->End(ShutDownError());
  plugin_.process->Detach();
  if (plugin_.files != nullptr) plugin_.files->Keep();
  DropChannel();
  plugin_.mux.reset();
  FinishIfIdle();
}

void Session::DropChannel() {
  state_->set_channel(ShutDownChannel());
  ExpectStdioEnd();
  stdio_.Cancel();
  plugin_.channel.reset();
}

void Session::OnProcessExit(ExitStatus status) {
  if (released_) return;
  exited_ = true;
  output_->FinishStderr();
  state_->SetExited(status);
  broker_->End(CrashError(plugin_.name, *plugin_.process, status, *output_));
  if (ladder_ != nullptr) ladder_->Stop();
  if (stdio_open_) {
    ExpectStdioEnd();
    stdio_deadline_ = std::make_unique<Timer>(runtime_->loop());
    stdio_deadline_->Start(kStdioAfterExit, [this] { stdio_.Cancel(); });
  }
  FinishIfIdle();
}

void Session::ExpectStdioEnd() {
  if (stdio_open_ && !stdio_ends_.has_value()) {
    stdio_ends_.emplace(runtime_->calls());
  }
}

void Session::OnStdioEnd() {
  stdio_open_ = false;
  stdio_ends_.reset();
  FinishIfIdle();
}

void Session::FinishIfIdle() {
  if (!exited_ || self_ == nullptr) return;
  if (ladder_ != nullptr && ladder_->busy()) return;
  if (stdio_open_) {
    // After a SIGKILL without effect nothing ends by itself.
    if (!plugin_.process->exit_status().has_value()) stdio_.Cancel();
    return;
  }
  Finish();
}

void Session::Finish() {
  SessionState::End end;
  end.exit_status = plugin_.process->exit_status().value_or(ExitStatus());
  end.released = released_;
  if (released_) {
    end.exit_error = ReleasedError();
    if (ladder_ != nullptr) end.result = ladder_->result();
  } else if (ladder_ == nullptr || ladder_->CameTooLate(end.exit_status)) {
    end.exit_error =
        CrashError(plugin_.name, *plugin_.process, end.exit_status, *output_);
    end.result = end.exit_error;
  } else {
    end.result = ladder_->result();
  }
  DropChannel();
  plugin_.mux.reset();
  plugin_.files.reset();
  state_->SetEnd(std::move(end), *callbacks_);
  Leave([state = state_] { state->NotifyEnded(); });
}

void Session::Leave(absl::AnyInvocable<void() &&> last) {
  runtime_->loop().Post(
      [self = std::move(self_), last = std::move(last)]() mutable {
        self->source_.reset();
        self->ladder_.reset();
        self->stdio_deadline_.reset();
        self->mux_end_.reset();
        self->plugin_ = ReadyPlugin();
        self.reset();
        std::move(last)();
      });
}

absl::StatusOr<ReattachConfig> Session::Detach() {
  absl::Status status = CheckMayBlock();
  if (status.ok()) status = state_->may_detach;
  if (!status.ok()) return status;
  if (!state_->ended()) {
    runtime_->loop().Post([self = shared_from_this()] {
      // Asked to exit, it is past being left running.
      if (self->ladder_ == nullptr) self->Release();
    });
    state_->WaitForEnd(absl::InfiniteDuration());
  }
  const SessionState::End end = *state_->end();
  if (end.released) return state_->reattach_config;
  if (!end.exit_error.ok()) return end.exit_error;
  return MakeError(Reason::kShutDown,
                   "the client was shut down, and the plugin with it",
                   "detach instead of, not after, Shutdown or Kill");
}

absl::StatusOr<ExitStatus> Session::WaitForExit(absl::Duration timeout) const {
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  if (!state_->sees_exit) return state_->may_kill;
  if (state_->WaitForExit(timeout)) return *state_->exit_status();
  if (state_->ended() && state_->end()->released) return ReleasedError();
  return MakeError(Reason::kTimeout,
                   absl::StrCat("the plugin still runs after ",
                                absl::FormatDuration(timeout)),
                   "wait longer, or end it with Shutdown or Kill");
}

void Session::OnExit(SessionState::ExitCallback callback) {
  state_->OnExit(std::move(callback), *callbacks_);
}

void Session::OnEnd(SessionState::EndCallback callback) {
  state_->OnEnd(std::move(callback), *callbacks_);
}

absl::Status Session::WaitForEnd() {
  state_->WaitForEnd(absl::InfiniteDuration());
  return state_->end()->result;
}

void Session::WaitForLoop() {
  // Shared with the loop, which may still be in Notify when this returns.
  const auto done = std::make_shared<absl::Notification>();
  runtime_->loop().Post([done] { done->Notify(); });
  done->WaitForNotification();
}

bool Session::WaitForEnd(absl::Duration timeout) {
  return state_->WaitForEnd(timeout);
}

absl::Status Session::Ping(absl::Duration timeout) {
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  struct Answer {
    absl::Notification arrived;
    grpc::Status status;
    wire::HealthCheckResponse::ServingStatus serving =
        wire::HealthCheckResponse::UNKNOWN;
  };
  Answer answer;
  CheckHealth(runtime_->calls(), state_->channel(), timeout,
              [&answer](const grpc::Status& status,
                        wire::HealthCheckResponse::ServingStatus serving) {
                answer.status = status;
                answer.serving = serving;
                answer.arrived.Notify();
              });
  // gRPC ends the call at its deadline.
  answer.arrived.WaitForNotification();
  if (MayMeanExit(answer.status) && state_->sees_exit) {
    state_->WaitForEnd(kExplainWait);
    if (state_->end().has_value()) return Explain(answer.status);
  }
  return HealthError(answer.status, answer.serving);
}

absl::Status Session::Explain(const grpc::Status& call) const {
  if (call.ok()) return absl::OkStatus();
  absl::Status status = CheckMayBlock();
  if (!status.ok()) return status;
  if (MayMeanExit(call) && state_->sees_exit) state_->WaitForEnd(kExplainWait);
  const absl::optional<SessionState::End> end = state_->end();
  if (!end.has_value()) {
    const absl::Status lost = state_->lost();
    return MayMeanExit(call) && !lost.ok() ? WithCall(lost, call)
                                           : CallError(call, state_->sees_exit);
  }
  if (!end->exit_error.ok() && !end->released) {
    return WithCall(end->exit_error, call);
  }
  return WithCall(ShutDownError(), call);
}

bool Session::forked() const { return getpid() != owner_; }

absl::Status Session::CheckMayBlock() const {
  if (forked()) {
    return MakeError(
        Reason::kForked, "this client belongs to the parent process",
        "a forked child must launch plugins of its own, or exec first");
  }
  return CheckThread();
}

absl::Status Session::CheckThread() {
  if (!OnSdkThread()) return absl::OkStatus();
  return MakeError(
      Reason::kWrongThread,
      "a blocking method was called from a callback of this library",
      "use the Async variant, or call it from a thread of your own");
}

}  // namespace goplugin::internal
