#include "goplugin/internal/lifecycle/plugin_keeper.h"

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/lifecycle/steps.h"
#include "goplugin/internal/start/end_files.h"
#include "goplugin/internal/start/process_output.h"

namespace goplugin::internal {
namespace {

// How long the end waits for what is under way: a call that was cancelled, a
// step in the file system. What takes longer is stuck.
constexpr absl::Duration kWork = absl::Milliseconds(200);
// After an exit: there may be stdio data to come.
constexpr absl::Duration kWorkAfterExit = absl::Seconds(1);
// How long it waits for the removal of files.
constexpr absl::Duration kRemoval = absl::Seconds(1);

}  // namespace

PluginKeeper::PluginKeeper(Runtime& runtime, const ShutdownOptions& options,
                           std::shared_ptr<Lane> steps,
                           std::function<CallPlace()> control)
    : runtime_(runtime),
      options_(options),
      steps_(std::move(steps)),
      control_(std::move(control)),
      patience_(runtime.loop()) {}

PluginKeeper::~PluginKeeper() = default;

PluginProcess::Callbacks PluginKeeper::ProcessCallbacks(PluginOutput& output) {
  PluginProcess::Callbacks callbacks = OutputCallbacks(output);
  callbacks.on_exit = [this](ExitStatus status) { OnExit(status); };
  return callbacks;
}

void PluginKeeper::KeepProcess(std::unique_ptr<PluginProcess> process) {
  process_ = std::move(process);
  if (state_ == State::kEnding) Ladder().Kill();
}

void PluginKeeper::KeepFiles(std::shared_ptr<PluginFiles> files,
                             std::shared_ptr<PluginOutput> output) {
  files_ = std::move(files);
  output_ = std::move(output);
}

std::shared_ptr<void> PluginKeeper::BeginWork() {
  std::shared_ptr<void> work = work_.lock();
  if (work != nullptr) return work;
  // The last one may go on any thread, and after this object. Whoever holds
  // one is on a thread of the runtime's.
  work = std::shared_ptr<void>(
      this, [&loop = runtime_.loop(), weak = weak_from_this()](void* /*me*/) {
        std::shared_ptr<PluginKeeper> self = weak.lock();
        if (self == nullptr) return;
        loop.Post([self = std::move(self)] { self->CloseIfIdle(); });
      });
  work_ = work;
  return work;
}

void PluginKeeper::OnExit(ExitStatus status) {
  if (released_) return;
  if (ladder_ != nullptr) ladder_->Stop();
  if (events_.on_exit != nullptr) events_.on_exit(status);
  BeginEnding();
  if (state_ == State::kEnding) Close();
}

void PluginKeeper::BeginEnding() {
  if (state_ != State::kHolding) return;
  state_ = State::kEnding;
  self_ = shared_from_this();
}

ShutdownLadder& PluginKeeper::Ladder() {
  if (ladder_ != nullptr) return *ladder_;
  ShutdownLadder::Callbacks callbacks;
  callbacks.drop_channel = [this] { CloseConnection(); };
  callbacks.give_up = [this] { Close(); };
  callbacks.let_go = [this] { Release(); };
  ladder_ = std::make_shared<ShutdownLadder>(runtime_, options_, *process_,
                                             std::move(callbacks));
  return *ladder_;
}

// One may be on its way.
void PluginKeeper::EndWithoutProcess() {
  patience_.Start(kWork, [this] { Close(); });
  CloseLater();
}

void PluginKeeper::CloseLater() {
  runtime_.loop().Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->CloseIfIdle();
  });
}

void PluginKeeper::Shutdown() {
  if (state_ != State::kHolding) return;
  BeginEnding();
  if (process_ == nullptr) return EndWithoutProcess();
  Ladder().Start(control_(), channel_, BeginWork());
}

void PluginKeeper::Kill() {
  if (state_ != State::kHolding && state_ != State::kEnding) return;
  BeginEnding();
  if (process_ == nullptr) return EndWithoutProcess();
  Ladder().Kill();
}

void PluginKeeper::Release() {
  if (state_ != State::kHolding && state_ != State::kEnding) return;
  BeginEnding();
  released_ = true;
  if (ladder_ != nullptr) ladder_->Stop();
  if (process_ != nullptr) process_->Detach();
  if (files_ != nullptr) {
    steps_->Post([files = files_,
                  plugin = process_ == nullptr ? pid_t{-1} : process_->pid()] {
      files->Keep(plugin);
    });
  }
  Close();
}

void PluginKeeper::Close() {
  state_ = State::kClosing;
  if (ladder_ != nullptr) ladder_->Stop();
  if (events_.on_closing != nullptr) events_.on_closing();
  // Nobody can say anything more on it.
  if (!exited()) CloseConnection();
  patience_.Start(exited() ? kWorkAfterExit : kWork, [this] { RemoveFiles(); });
  // Not from inside: this may be called by what goes with the end.
  CloseLater();
}

void PluginKeeper::CloseIfIdle() {
  if (!work_.expired()) return;
  if (state_ == State::kEnding && process_ == nullptr) return Close();
  if (state_ == State::kClosing) RemoveFiles();
}

void PluginKeeper::CloseConnection() {
  if (events_.on_disconnect != nullptr) events_.on_disconnect();
  channel_.reset();
  mux_.reset();
}

void PluginKeeper::RemoveFiles() {
  if (std::exchange(removing_, true)) return;
  CloseConnection();
  if (files_ == nullptr) return Finish();
  patience_.Start(kRemoval, [this] { Finish(); });
  TakeStep(
      steps_, runtime_.loop(), weak_from_this(),
      [files = std::move(files_), output = output_]() mutable {
        EndFiles(*files, *output);
        files.reset();
        return true;
      },
      [](PluginKeeper& self, bool /*removed*/) { self.Finish(); });
}

void PluginKeeper::Finish() {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  patience_.Cancel();
  // What hears of it may be the last to hold this.
  runtime_.loop().Post([self = std::move(self_)]() mutable {
    absl::AnyInvocable<void()> on_ended = std::move(self->events_.on_ended);
    self.reset();
    if (on_ended != nullptr) on_ended();
  });
}

}  // namespace goplugin::internal
