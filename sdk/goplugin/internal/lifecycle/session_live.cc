#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/crash.h"
#include "goplugin/internal/lifecycle/host_sockets.h"
#include "goplugin/internal/lifecycle/process_control.h"
#include "goplugin/internal/lifecycle/session.h"
#include "goplugin/internal/rpc/stdio_stream.h"

// A session from its readiness to its end: kLive.

namespace goplugin::internal {
namespace {

// For the last stdio data of a process that is gone. Its end of the connection
// is closed, so the stream's end is near.
constexpr absl::Duration kStdioAfterExit = absl::Milliseconds(500);
// After the end of a multiplexed connection, for the exit that explains it.
constexpr absl::Duration kExitAfterMux = absl::Seconds(1);

StdioChunk::Stream StreamOf(const wire::StdioData& data) {
  return data.channel() == wire::StdioData::STDERR
             ? StdioChunk::Stream::kStderr
             : StdioChunk::Stream::kStdout;
}

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
  broker_ = std::make_unique<SessionBroker>(std::move(setup));
  if (!plugin_.no_broker.empty()) {
    broker_->End(MakeError(Reason::kBrokerUnsupported, plugin_.no_broker,
                           "launch the plugin with the host that needs its "
                           "broker"));
  }
}

// ---- kLive ------------------------------------------------------------------

void Session::StartStdio() {
  StdioCallbacks callbacks;
  callbacks.on_data = [output = output_](StdioPiece piece) {
    output->OnStdio(StreamOf(piece.data), std::move(*piece.data.mutable_data()),
                    std::move(piece.held), piece.droppable);
  };
  callbacks.progress = [lane = callbacks_] { return lane->progress(); };
  callbacks.on_note = [output = output_](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  callbacks.on_end =
      [weak = weak_from_this(), &loop = runtime_->loop(),
       work = keeper_->BeginWork()](const grpc::Status& /*status*/) mutable {
        loop.Post([weak, work = std::move(work)] {
          if (const auto self = weak.lock()) self->stdio_ends_.reset();
        });
      };
  stdio_ = StartStdioStream(runtime_->calls(), keeper_->channel(),
                            std::move(callbacks));
}

void Session::BeginShutdown() {
  if (state_->ended()) return;
  runtime_->loop().Post([self = shared_from_this()] {
    if (self->at_ == State::kStarting) self->source_->Cancel();
    if (self->at_ != State::kLive) return;
    if (self->plugin_.belongs_to_others) return self->keeper_->Release();
    self->broker_->End(ShutDownError());
    self->keeper_->Shutdown();
  });
}

void Session::BeginKill() {
  if (state_->ended()) return;
  runtime_->loop().Post([self = shared_from_this()] {
    if (self->at_ == State::kStarting) self->source_->Cancel();
    if (self->at_ != State::kLive) return;
    if (!self->state_->may_kill.ok()) return self->keeper_->Release();
    self->broker_->End(ShutDownError());
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
  mux_end_->Start(kExitAfterMux, [this, status] {
    if (keeper_->state() != PluginKeeper::State::kHolding) return;
    output_->Note(LogLevel::kError, std::string(status.message()));
    broker_->End(status);
  });
}

void Session::OnProcessExit(ExitStatus status) {
  const absl::Status crash =
      CrashError(plugin_.name, *keeper_->process(), status, *output_);
  const ShutdownLadder* ladder = keeper_->ladder();
  const bool wanted = ladder != nullptr && !ladder->CameTooLate(status);
  state_->SetExited(status, wanted ? ShutDownError() : crash);
  broker_->End(crash);
}

void Session::OnClosing() {
  broker_->End(ShutDownError());
  stdio_.StopWaiting();
  stdio_ends_.emplace(runtime_->calls());
  stdio_deadline_ = std::make_unique<Timer>(runtime_->loop());
  stdio_deadline_->Start(kStdioAfterExit, [this] { CancelStdio(); });
}

void Session::OnDisconnect() {
  state_->set_channel(ShutDownChannel());
  CancelStdio();
}

// The handle holds the channel.
void Session::CancelStdio() {
  stdio_.Cancel();
  stdio_ = CallHandle();
}

}  // namespace goplugin::internal
