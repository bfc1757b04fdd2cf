#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/broker/link_error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/host_sockets.h"
#include "goplugin/internal/lifecycle/process_control.h"
#include "goplugin/internal/lifecycle/session.h"

// A session from its readiness to its end: kLive.

namespace goplugin::internal {
namespace {

// For the last stdio data of a process that is gone. Its end of the connection
// is closed, so the stream's end is near.
constexpr absl::Duration kStdioAfterExit = absl::Milliseconds(500);
// After the end of a connection, for the exit that explains it.
constexpr absl::Duration kExitAfterCut = absl::Seconds(1);

Acceptors::Run OnNewLane(Pool& pool) {
  return [lane = Lane::Create(pool)](absl::AnyInvocable<void()> task) {
    lane->Post(std::move(task));
  };
}

}  // namespace

void Session::Live(ReadyPlugin plugin) {
  plugin_ = std::move(plugin);
  if (!plugin_.is_serving) {
    output_->Note(LogLevel::kWarn,
                  "the plugin is reachable, but its health service says "
                  "NOT_SERVING");
  }
  keeper_->set_events(
      {/*on_exit=*/[this](ExitStatus status) { OnProcessExit(status); },
       /*on_closing=*/[this] { OnClosing(); },
       /*on_disconnect=*/[this] { OnDisconnect(); },
       /*on_ended=*/[this] { Finish(); }});
  keeper_->process()->set_callbacks(keeper_->ProcessCallbacks(*output_));
  if (keeper_->mux() != nullptr) {
    keeper_->mux()->set_on_end(
        [this](const absl::Status& status) { OnMuxEnd(status); });
  }
  Tell();
}

void Session::Tell() {
  const PluginProcess& process = *keeper_->process();
  state_->response = plugin_.response;
  state_->timings = plugin_.timings;
  state_->pid = process.pid();
  state_->uses_tls = plugin_.uses_tls;
  state_->multiplexed = plugin_.multiplexed;
  state_->sees_exit = process.controllable();
  state_->may_kill = CheckMayKill(plugin_, process);
  state_->may_detach = CheckMayDetach(plugin_, process);
  state_->reattach_config = ReattachConfigOf(plugin_, process);
  state_->set_channel(keeper_->channel());
  MakeBroker();
}

void Session::MakeBroker() {
  BrokerSetup setup;
  setup.peer = "plugin";
  setup.network = plugin_.response.endpoint.network;
  setup.sockets.directory = BrokerDirectories(keeper_->files());
  setup.sockets.guests = plugin_.guests;
  setup.peers = plugin_.peers;
  setup.security = std::move(plugin_.broker_security);
  setup.translation = plugin_.translation;
  setup.keep = options_.broker_keep;
  setup.warn = [output = output_](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  // Whoever dials holds the client, and so the lane.
  setup.expect = [&calls = runtime_->calls()] {
    return std::make_shared<CallQueue::Hurry>(calls);
  };
  if (keeper_->mux() != nullptr) {
    setup.multiplexer = keeper_->mux()->multiplexer();
  }
  setup.acceptors = Acceptors::Create(runtime_->loop(),
                                      OnNewLane(runtime_->work()), setup.warn);
  // A lane of its own: what is stuck there holds up further dials only.
  setup.aside = OnNewLane(runtime_->work());
  if (telemetry_ != nullptr) {
    setup.on_dialled = [telemetry = telemetry_](std::uint32_t id,
                                                const absl::Status& status,
                                                absl::Duration took) {
      telemetry->Dialled(id, status, took);
    };
  }
  broker_ = std::make_unique<SessionBroker>(std::move(setup));
  if (!plugin_.no_broker.empty()) {
    broker_->End(MakeError(Reason::kBrokerUnsupported, plugin_.no_broker,
                           "launch the plugin with the host that needs its "
                           "broker"));
  }
}

// ---- kLive ------------------------------------------------------------------

void Session::Settle() {
  if (stdio_ != nullptr || !Holds()) return;
  OpenStreams();
  keeper_->process()->OnServing();
  if (plugin_.settled != nullptr) plugin_.settled();
}

// In this order: of a plugin with one thread the output gets it.
void Session::OpenStreams() {
  // First: a call that begins now may have to wait behind them.
  plugin_.early_calls->Close();
  MakeStdio();
  MakeStarvationWatch();
  stdio_->Open(runtime_->calls(), keeper_->channel());
  broker_->Open(runtime_->calls(), keeper_->channel(), runtime_->loop(),
                [this](const grpc::Status& status) { OnBrokerCut(status); });
  starvation_->Start();
}

void Session::MakeStdio() {
  SessionStdio::Setup setup{runtime_->loop()};
  setup.output = output_;
  setup.progress = [lane = callbacks_] { return lane->progress(); };
  setup.begin_work = [this] { return keeper_->BeginWork(); };
  setup.wanted = [this] { return Holds(); };
  stdio_ = std::make_shared<SessionStdio>(std::move(setup));
}

void Session::MakeStarvationWatch() {
  StarvationWatch::Setup setup{runtime_->loop()};
  setup.steps = steps_;
  setup.pid = state_->pid;
  setup.first_answer = plugin_.timings.connect - plugin_.timings.line;
  setup.control = [this] { return ControlPlace(); };
  setup.channel = [this] { return keeper_->channel(); };
  setup.begin_work = [this] { return keeper_->BeginWork(); };
  setup.close_output = [this] { return stdio_->Suspend(); };
  setup.open_output = [this] { stdio_->Resume(); };
  setup.close_broker = [this] {
    return broker_->EndUnheard(MakeError(
        Reason::kBrokerUnsupported,
        "the plugin's broker was closed: it answers too few calls at once",
        "its server needs a thread for the broker, one for its output, and one "
        "for calls: give it more threads (Python: max_workers)"));
  };
  setup.early_call = [calls = plugin_.early_calls] {
    return calls->under_way();
  };
  setup.explain = [state = state_](std::string text) {
    state->set_hang(std::move(text));
  };
  setup.warn = [output = output_](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  starvation_ = std::make_shared<StarvationWatch>(std::move(setup));
}

bool Session::Holds() const {
  return at_ == State::kLive && state_->lost().ok() &&
         keeper_->state() == PluginKeeper::State::kHolding;
}

// Told, when it was not the plugin's end that did it.
void Session::OnBrokerCut(const grpc::Status& status) {
  broker_cut_ = std::make_unique<Timer>(runtime_->loop());
  broker_cut_->Start(kExitAfterCut, [this, status] {
    if (!Holds()) return;
    output_->Note(LogLevel::kWarn,
                  std::string(LinkError("plugin", status).message()));
  });
}

void Session::BeginShutdown() {
  // The loop may be at Finish: whichever comes second, the summary or this,
  // sees the other.
  shutdown_asked_ = true;
  ExcuseStop();
  if (state_->ended() && telemetry_ == nullptr) return;
  runtime_->loop().Post([self = shared_from_this()] {
    self->TellExitedNow();
    if (self->at_ != State::kLive) return self->EndStart();
    if (self->plugin_.belongs_to_others) return self->keeper_->Release();
    // For the last that it prints.
    self->Settle();
    self->broker_->End(ShutDownError());
    if (self->starvation_ != nullptr) self->starvation_->End();
    self->keeper_->Shutdown();
  });
}

void Session::BeginKill() {
  if (state_->ended()) return;
  runtime_->loop().Post([self = shared_from_this()] {
    if (self->at_ != State::kLive) return self->EndStart();
    if (!self->state_->may_kill.ok()) return self->keeper_->Release();
    self->broker_->End(ShutDownError());
    if (self->starvation_ != nullptr) self->starvation_->End();
    self->keeper_->Kill();
  });
}

// No call works any more, and the plugin may run on: it is not this library's
// to end it unasked.
void Session::OnMuxEnd(const absl::Status& status) {
  // On the way to an exit it is what was to be expected.
  if (keeper_->state() != PluginKeeper::State::kHolding) return;
  state_->set_lost(status);
  mux_end_ = std::make_unique<Timer>(runtime_->loop());
  mux_end_->Start(kExitAfterCut, [this, status] {
    if (keeper_->state() != PluginKeeper::State::kHolding) return;
    output_->Note(LogLevel::kError, std::string(status.message()));
    broker_->End(status);
  });
}

void Session::OnProcessExit(ExitStatus status) {
  const absl::Status crash = Crash(status);
  const ShutdownLadder* ladder = keeper_->ladder();
  const bool wanted = ladder != nullptr && !ladder->CameTooLate(status);
  state_->SetExited(status, wanted ? ShutDownError() : crash);
  broker_->End(crash);
}

void Session::OnClosing() {
  broker_->End(ShutDownError());
  if (stdio_ == nullptr) return;
  starvation_->End();
  stdio_->EndIsNear();
  stdio_deadline_ = std::make_unique<Timer>(runtime_->loop());
  stdio_deadline_->Start(kStdioAfterExit, [this] { stdio_->End(); });
}

void Session::OnDisconnect() {
  state_->set_channel(ShutDownChannel());
  if (stdio_ == nullptr) return;
  starvation_->End();
  stdio_->End();
}

}  // namespace goplugin::internal
