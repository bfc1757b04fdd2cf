#include "goplugin/internal/lifecycle/session.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/live_sessions.h"
#include "goplugin/internal/lifecycle/process_control.h"
#include "goplugin/internal/lifecycle/process_exit.h"
#include "goplugin/internal/log/log_parser.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

// What an end may take beyond the times of the options.
constexpr absl::Duration kEndOverhead = absl::Seconds(3);
// What can wait would take the processors from the caller's first call.
constexpr absl::Duration kSettling = absl::Milliseconds(2);
// How long the exit waits for what is being read.
constexpr absl::Duration kIoGrace = absl::Seconds(1);

OutputSinks SinksOf(const ClientOptions& options) {
  OutputSinks sinks;
  sinks.log = options.log_sink;
  sinks.stderr_raw = options.stderr_sink;
  sinks.stdio = options.stdio_sink;
  return sinks;
}

std::shared_ptr<Lane> MakeSinkLane(
    Runtime& runtime, const ClientOptions& options,
    const std::shared_ptr<SessionTelemetry>& telemetry) {
  return std::make_shared<Lane>(
      runtime.callbacks(),
      [sink = options.log_sink, telemetry](size_t dropped) {
        if (telemetry != nullptr) telemetry->Dropped(dropped);
        if (sink == nullptr) return;
        sink->Log(PluginOutput::SdkEntry(
            LogLevel::kWarn,
            absl::StrCat(dropped,
                         " entries of logs or output were dropped: this sink "
                         "is slower than the plugin")));
      });
}

}  // namespace

absl::StatusOr<std::shared_ptr<Session>> Session::Create(
    MakeSource source, ClientOptions options) {
  const absl::Status usable = Runtime::CheckProcess();
  if (!usable.ok()) return usable;
  static std::once_flag first_use;
  std::call_once(first_use, [] {
    // What they register for the exit must come after what we do.
    InitializeTlsLibrary();
    LogParser().Parse("{}", /*is_piece=*/false);
    BeforeExit(&EndSessionsAtExit);
  });
  absl::StatusOr<std::shared_ptr<Runtime>> runtime = Runtime::Acquire();
  if (!runtime.ok()) return runtime.status();
  return std::shared_ptr<Session>(
      new Session(*std::move(runtime), std::move(source), std::move(options)));
}

Session::Session(std::shared_ptr<Runtime> runtime, MakeSource source,
                 ClientOptions options)
    : make_source_(std::move(source)),
      options_(std::move(options)),
      runtime_(std::move(runtime)),
      telemetry_(SessionTelemetry::Create(options_, runtime_->callbacks())),
      callbacks_(MakeSinkLane(*runtime_, options_, telemetry_)),
      completions_(Lane::Create(runtime_->completions())),
      steps_(Lane::Create(runtime_->work())),
      control_(Lane::Create(runtime_->callbacks())),
      state_(std::make_shared<SessionState>()),
      output_(
          std::make_shared<PluginOutput>(SinksOf(options_), runtime_->loop(),
                                         runtime_->callbacks(), callbacks_)) {}

Session::~Session() = default;

void Session::Start(absl::AnyInvocable<void(absl::Status) &&> ready) {
  self_ = shared_from_this();
  ready_ = std::move(ready);
  auto control = [this] { return ControlPlace(); };
  keeper_ = std::make_shared<PluginKeeper>(*runtime_, options_.shutdown, steps_,
                                           control);
  auto report = [this](LaunchPhase phase, absl::Duration when) {
    Report(phase, when);
  };
  source_ = make_source_({*runtime_, options_, steps_, control, keeper_,
                          output_, std::move(report), stopwatch_});
  const bool may_begin = LiveSessions::Add(self_);
  runtime_->loop().Post([self = self_, may_begin] {
    if (may_begin) return self->Begin();
    self->OnReady(Runtime::CheckProcess());
  });
}

void Session::CancelStart() {
  runtime_->loop().Post([self = shared_from_this()] { self->EndStart(); });
}

CallPlace Session::ControlPlace() const {
  return options_.interceptors == nullptr ? CallPlace::Queue(runtime_->calls())
                                          : CallPlace::OnLane(control_);
}

void Session::PostCompletion(absl::AnyInvocable<void()> callback) {
  completions_->Post(std::move(callback));
}

void Session::PostAfterOutput(absl::AnyInvocable<void()> callback) {
  callbacks_->Post(
      [completions = completions_, callback = std::move(callback)]() mutable {
        completions->Post(std::move(callback));
      });
}

void Session::Report(LaunchPhase phase, absl::Duration when) {
  if (options_.on_phase == nullptr) return;
  callbacks_->Post(
      [report = options_.on_phase, phase, when] { report(phase, when); });
}

// ---- kNew, kStarting --------------------------------------------------------

void Session::Begin() {
  at_ = State::kStarting;
  source_->Start([this](absl::StatusOr<ReadyPlugin> plugin) {
    OnReady(std::move(plugin));
  });
  if (unwanted_) source_->Cancel();
}

void Session::EndStart() {
  unwanted_ = true;
  if (at_ == State::kStarting) source_->Cancel();
}

void Session::OnReady(absl::StatusOr<ReadyPlugin> plugin) {
  if (!plugin.ok()) {
    at_ = State::kEnded;
    TellLaunched(plugin.status());
    SessionState::End end;
    end.exit_error = plugin.status();
    state_->SetEnd(end);
    return Leave([ready = std::move(ready_), state = state_,
                  status = plugin.status()]() mutable {
      state->NotifyEnded();
      std::move(ready)(status);
    });
  }
  at_ = State::kLive;
  plugin->timings.ready = stopwatch_.Elapsed();
  Report(LaunchPhase::kReady, plugin->timings.ready);
  Live(*std::move(plugin));
  TellLaunched(absl::OkStatus());
  WatchUsage();
  // Not while it calls.
  runtime_->loop().Post([self = shared_from_this()] { self->source_.reset(); });
  std::move(ready_)(absl::OkStatus());
  // To dial over one connection takes the broker's stream.
  if (keeper_->mux() != nullptr) return Settle();
  settling_ = std::make_unique<Timer>(runtime_->loop());
  settling_->Start(kSettling, [this] { Settle(); });
}

// ---- kEnded -----------------------------------------------------------------

absl::Status Session::NamedResult(const absl::Status& result) const {
  absl::optional<ErrorDetails> details = GetErrorDetails(result);
  if (!details.has_value()) return result;
  std::string who = absl::StrCat("the plugin ", plugin_.name);
  if (state_->pid > 0) absl::StrAppend(&who, ", pid ", state_->pid);
  details->evidence.insert(details->evidence.begin(), std::move(who));
  return MakeError(*details);
}

absl::Status Session::Crash(ExitStatus status) const {
  return WithLoss(
      CrashError(plugin_.name, *keeper_->process(), status, *output_),
      state_->lost());
}

SessionState::End Session::Summary() const {
  const PluginProcess& process = *keeper_->process();
  const ShutdownLadder* ladder = keeper_->ladder();
  SessionState::End end;
  end.exit_status = process.exit_status().value_or(ExitStatus());
  end.released = keeper_->released();
  if (end.released) {
    end.exit_error = ReleasedError();
    if (ladder != nullptr) end.result = NamedResult(ladder->result());
  } else if (ladder == nullptr || ladder->CameTooLate(end.exit_status)) {
    end.exit_error = Crash(end.exit_status);
    end.unasked = true;
    end.by_stop = IsStop(end.exit_status) || IsOrderlyExit(end.exit_status);
    end.result = end.exit_error;
  } else {
    end.result = NamedResult(ladder->result());
    const bool exited = process.exit_status().has_value();
    if (!exited && !end.result.ok()) end.exit_error = GivenUpError(end.result);
  }
  return end;
}

void Session::Finish() {
  at_ = State::kEnded;
  state_->SetEnd(Summary());
  if (shutdown_asked_) ExcuseStop();
  TellExited();
  AnswerQuestions(/*all=*/true);
  PostAfterOutput([state = state_] { state->CallBack(); });
  Leave([state = state_, gone = std::move(gone_)]() mutable {
    state->NotifyEnded();
    for (GoneCallback& told : gone) std::move(told)(*state->end());
  });
}

void Session::Leave(absl::AnyInvocable<void() &&> last) {
  runtime_->loop().Post(
      [self = std::move(self_), last = std::move(last)]() mutable {
        self->source_.reset();
        self->stdio_.reset();
        self->starvation_.reset();
        self->stdio_deadline_.reset();
        self->broker_cut_.reset();
        self->mux_end_.reset();
        self->settling_.reset();
        self->usage_.reset();
        self->question_deadline_.reset();
        self->keeper_.reset();
        self.reset();
        std::move(last)();
      });
}

void Session::ExcuseStop() {
  if (!state_->ExcuseStop(SessionState::kSameStop)) return;
  const char* how = IsOrderlyExit(state_->end()->exit_status)
                        ? "has ended in good order, with exit code 0,"
                        : "was ended by a signal from elsewhere";
  output_->Note(
      LogLevel::kInfo,
      absl::StrCat("the plugin ", how,
                   " just before this host's Shutdown: whatever stops the host "
                   "stops its plugins as well (systemd: KillMode=mixed lets "
                   "the host do it)"));
}

absl::Duration Session::LongestEnd() const {
  return options_.shutdown.Total() + kEndOverhead;
}

void EndSessionsAtExit() {
  Runtime::HaltCallbacks();
  const std::vector<std::shared_ptr<Session>> sessions = LiveSessions::All();
  for (const std::shared_ptr<Session>& session : sessions) {
    session->BeginShutdown();
  }
  bool all_ended = true;
  for (const std::shared_ptr<Session>& session : sessions) {
    all_ended = session->WaitForEnd(session->LongestEnd()) && all_ended;
  }
  Runtime::HaltAll(/*with_calls=*/all_ended);
  // What is left of connections may be at work in OpenSSL.
  HaltIoThreads(kIoGrace);
}

}  // namespace goplugin::internal
