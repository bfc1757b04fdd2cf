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
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/sweep.h"
#include "goplugin/internal/files/time_limit.h"
#include "goplugin/internal/lifecycle/process_exit.h"
#include "goplugin/internal/lifecycle/steps.h"
#include "goplugin/internal/process/raised_rights.h"
#include "goplugin/internal/start/process_output.h"
#include "goplugin/internal/tls/key_pair_stock.h"

namespace goplugin::internal {
namespace {

// After an odd candidate for the handshake line, this much silence ends the
// search.
constexpr absl::Duration kSilence = absl::Seconds(1);
// After the end of stdout the exit usually follows, and tells more.
constexpr absl::Duration kExitAfterStdoutEnd = absl::Milliseconds(500);

// Ends what a start has brought after its launch was over.
void EndLate(EventLoop& loop, Lane& steps,
             absl::StatusOr<StartedPlugin> started) {
  if (!started.ok()) return;
  PluginProcess::Callbacks deaf;
  deaf.on_stdout = [](absl::string_view /*bytes*/) {};
  deaf.on_stderr = [](absl::string_view /*bytes*/) {};
  deaf.on_stdout_end = [] {};
  deaf.on_exit = [](ExitStatus /*status*/) {};
  const std::unique_ptr<PluginProcess> process =
      std::move(started->make_process)(loop, std::move(deaf));
  process->Signal(SIGKILL);
  steps.Post([files = std::move(started->files)] {});
}

}  // namespace

MakeSource LaunchSource(PluginStart start) {
  return [start = std::move(start)](const SourceContext& context) {
    return std::make_shared<Launch>(context, start);
  };
}

Launch::Launch(const SourceContext& context, PluginStart start)
    : context_(context),
      start_(std::move(start)),
      usable_(start_.check(context_.options)),
      deadline_(context_.runtime.loop()),
      notice_(context_.runtime.loop()),
      quiet_(context_.runtime.loop()),
      handshake_(
          context_.runtime.loop(), context_.steps,
          [keeper = context_.keeper] { return keeper->BeginWork(); },
          context_.options,
          [this](ParsedOutput parsed) { OnParsed(std::move(parsed)); }) {
  plugin_.name = start_.name;
  plugin_.peers = start_.peers;
  if (context_.options.allow_remote_tcp) plugin_.peers.loopback_only = false;
  plugin_.may_outlive = start_.may_outlive;
}

// ---- kStarting --------------------------------------------------------------

void Launch::Start(Done done) {
  done_ = std::move(done);
  context_.keeper->set_events(
      {/*on_exit=*/[this](ExitStatus /*status*/) { OnExit(); },
       /*on_closing=*/nullptr, /*on_disconnect=*/nullptr,
       /*on_ended=*/[this] { OnEnded(); }});
  if (!usable_.ok()) return Fail(usable_);
  deadline_.Start(Remaining(), [this] { OnDeadline(); });
  notice_.Start(context_.options.slow_start_notice, [this] { OnSlowStart(); });
  BeginStart();
}

void Launch::BeginStart() {
  Runtime& runtime = context_.runtime;
  StartContext context{
      context_.options,   context_.stopwatch, context_.steps, runtime.work(),
      runtime.spawners(), abandoned_,         begun_};
  start_.run(
      std::move(context),
      [&loop = runtime.loop(), stopwatch = context_.stopwatch,
       steps = context_.steps, work = context_.keeper->BeginWork(),
       weak = weak_from_this()](absl::StatusOr<StartedPlugin> started) mutable {
        loop.Post([&loop, steps = std::move(steps), work = std::move(work),
                   weak, when = stopwatch.Elapsed(),
                   started = std::move(started)]() mutable {
          const std::shared_ptr<Launch> self = weak.lock();
          if (self == nullptr) {
            return EndLate(loop, *steps, std::move(started));
          }
          self->OnStarted(std::move(started), when);
        });
      });
}

void Launch::OnStarted(absl::StatusOr<StartedPlugin> started,
                       absl::Duration when) {
  PluginKeeper& keeper = *context_.keeper;
  const bool wanted = state_ == State::kStarting;
  if (!started.ok()) return wanted ? Fail(started.status()) : void();
  if (keeper.state() > PluginKeeper::State::kEnding) {
    return EndLate(context_.runtime.loop(), *context_.steps,
                   std::move(started));
  }
  plugin_.name = std::move(started->name);
  plugin_.translation = std::move(started->translation);
  key_pair_ = std::move(started->key_pair);
  diagnose_ = std::move(started->diagnose);
  if (plugin_.peers.user.has_value()) {
    plugin_.guests = {/*everybody=*/false,
                      {geteuid(), *plugin_.peers.user},
                      started->files->guests()};
  }
  keeper.KeepFiles(std::move(started->files), context_.output);
  PluginProcess::Callbacks callbacks =
      keeper.ProcessCallbacks(*context_.output);
  callbacks.on_stdout = [this](absl::string_view bytes) { OnStdout(bytes); };
  callbacks.on_stdout_end = [this] { OnStdoutEnd(); };
  callbacks.has_stdout_room = [this](absl::AnyInvocable<void()> resume) {
    return handshake_.HasRoom(std::move(resume));
  };
  keeper.KeepProcess(std::move(started->make_process)(context_.runtime.loop(),
                                                      std::move(callbacks)));
  if (!wanted) return;
  if (!started->note.empty()) {
    context_.output->Note(LogLevel::kWarn, std::move(started->note));
  }
  if (!start_.user.has_value() && plugin_.peers.user.has_value()) {
    plugin_.peers.process = keeper.process()->pid();
  }
  state_ = State::kReading;
  plugin_.timings.spawn = when;
  context_.report(LaunchPhase::kStarted, when);
  Prepare();
}

// What this launch or the next one will need, while the plugin starts.
void Launch::Prepare() {
  Runtime& runtime = context_.runtime;
  const auto lane = Lane::Create(runtime.work());
  lane->Post([&runtime, files = context_.keeper->files()] {
    // Where it can't be had, the channel can't either, and that is told.
    if (runtime.MakeCalls().ok()) {
      ShutDownChannel();
      KeyPairStock::Refill();
    }
    // Last: nobody waits for it.
    files->SweepPlaces(TimeLimit(kSweepTime));
  });
}

void Launch::Cancel() {
  Fail(MakeError(Reason::kCancelled, "the launch was cancelled",
                 "LaunchOperation::Cancel was called by this host"));
}

// ---- kReading ---------------------------------------------------------------

void Launch::OnStdout(absl::string_view bytes) {
  if (state_ != State::kReading) return context_.output->OnStdout(bytes);
  quiet_.Cancel();
  handshake_.Feed(bytes);
}

void Launch::FinishReading(HandshakeReader::End end) {
  if (state_ == State::kReading) handshake_.Finish(end);
}

void Launch::OnParsed(ParsedOutput parsed) {
  // What is not the line is ordinary output.
  context_.output->OnStdout(parsed.noise);
  const bool wanted = state_ == State::kReading;
  if (parsed.state == HandshakeReader::State::kCandidate && wanted) {
    quiet_.Start(kSilence,
                 [this] { FinishReading(HandshakeReader::End::kSilence); });
  }
  if (!parsed.result.has_value()) return;
  context_.output->OnStdout(handshake_.TakeUnparsed());
  if (!wanted) return;
  if (parsed.result->ok()) return OnLine(**parsed.result);
  // A path of the plugin's own says nothing here.
  if (plugin_.translation.to_here == nullptr) {
    context_.steps->Post(
        [files = context_.keeper->files(), path = parsed.unused_socket] {
          files->Remember(Endpoint{Endpoint::Network::kUnix, path});
        });
  }
  Fail(parsed.result->status());
}

void Launch::OnStdoutEnd() {
  if (state_ != State::kReading) return;
  quiet_.Start(kExitAfterStdoutEnd,
               [this] { FinishReading(HandshakeReader::End::kEndOfFile); });
}

void Launch::OnSlowStart() {
  const PluginProcess* process = context_.keeper->process();
  context_.output->Note(
      LogLevel::kWarn,
      absl::StrCat(
          "the plugin ", plugin_.name,
          " has not printed its handshake line after ",
          InMilliseconds(context_.stopwatch.Elapsed()), "; waiting up to ",
          absl::FormatDuration(context_.options.start_timeout), " for it (",
          process == nullptr ? "it is being started"
                             : absl::StrCat("pid ", process->pid()),
          ")"));
}

// ---- kConnecting ------------------------------------------------------------

void Launch::OnConnected(const absl::Status& status,
                         Connector::Serving serving) {
  if (state_ != State::kConnecting) return;
  if (!status.ok()) return Fail(status);
  state_ = State::kOver;
  deadline_.Cancel();
  quiet_.Cancel();
  connector_.reset();
  if (plugin_.multiplexed) {
    // It may have come after the look at it.
    context_.steps->Post(
        [files = context_.keeper->files(),
         endpoint = plugin_.response.endpoint] { files->Remember(endpoint); });
  }
  if (!start_.may_outlive) plugin_.settled = WarnOfRaisedRights();
  plugin_.is_serving = serving != wire::HealthCheckResponse::NOT_SERVING;
  plugin_.timings.connect = context_.stopwatch.Elapsed();
  context_.report(LaunchPhase::kConnected, plugin_.timings.connect);
  std::move(done_)(std::move(plugin_));
}

std::function<void()> Launch::WarnOfRaisedRights() const {
  if (!plugin_.peers.user.has_value()) return nullptr;
  return [steps = context_.steps, output = context_.output,
          user = *plugin_.peers.user, pid = context_.keeper->process()->pid()] {
    steps->Post([output, user, pid] {
      const std::string rights = RaisedRights(pid, user);
      if (rights.empty()) return;
      output->Note(
          LogLevel::kWarn,
          absl::StrCat("the plugin does not die with this host, should "
                       "that be killed: ",
                       rights,
                       ", for which the kernel takes its death signal "
                       "away"));
    });
  };
}

}  // namespace goplugin::internal
