#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/connect/approach.h"
#include "goplugin/internal/connect/channel_security.h"
#include "goplugin/internal/connect/mux_link.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/host_sockets.h"
#include "goplugin/internal/lifecycle/launch.h"
#include "goplugin/internal/lifecycle/steps.h"

// From a launch's handshake line to the channel: kAddressing.

namespace goplugin::internal {
namespace {

// After the end of the connection the exit usually follows, and tells more.
constexpr absl::Duration kExitAfterMuxEnd = absl::Milliseconds(500);

// How often a socket that is not there yet is looked for.
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);

absl::Status NoMultiplexing(bool refused) {
  return MakeError(Reason::kMuxUnsupported,
                   refused ? "the plugin says that it does not multiplex"
                           : "the plugin does not say that it multiplexes",
                   "build it with go-plugin 1.6 or later, or with this "
                   "library; or set multiplex to Multiplex::kIfOffered or "
                   "kNever");
}

}  // namespace

void Launch::OnLine(const HandshakeResponse& response) {
  // A plugin may print its line and die.
  if (context_.keeper->exited()) return OnExit();
  state_ = State::kAddressing;
  notice_.Cancel();
  quiet_.Cancel();
  plugin_.response = response;
  if (plugin_.translation.to_here == nullptr) {
    return OnAddress(response.endpoint);
  }
  // Until it is known, there is no endpoint of this host's.
  plugin_.response.endpoint = Endpoint();
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [translate = plugin_.translation.to_here, announced = response.endpoint] {
        return translate(announced);
      },
      [](Launch& self, const absl::StatusOr<Endpoint>& address) {
        if (self.state_ == State::kAddressing) self.OnAddress(address);
      });
}

void Launch::OnAddress(const absl::StatusOr<Endpoint>& address) {
  if (!address.ok()) return Fail(address.status());
  plugin_.response.endpoint = *address;
  plugin_.timings.line = context_.stopwatch.Elapsed();
  context_.report(LaunchPhase::kLine, plugin_.timings.line);
  const absl::StatusOr<bool> multiplexed = Multiplexes();
  if (!multiplexed.ok()) return Fail(multiplexed.status());
  approaching_ = Stopwatch();
  Approach(*multiplexed);
}

absl::StatusOr<bool> Launch::Multiplexes() const {
  const Multiplex wanted = context_.options.multiplex;
  const absl::optional<bool> offered = plugin_.response.multiplex;
  if (wanted == Multiplex::kNever) return false;
  if (offered.value_or(false)) return true;
  if (wanted == Multiplex::kIfOffered) return false;
  return NoMultiplexing(/*refused=*/offered.has_value());
}

void Launch::Approach(bool multiplexed) {
  ApproachRequest request;
  request.endpoint = plugin_.response.endpoint;
  request.peers = plugin_.peers;
  request.multiplexed = multiplexed;
  request.make_door = DoorMaker(context_.keeper->files());
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [request = std::move(request), files = context_.keeper->files(),
       tls = context_.options.tls, key_pair = key_pair_,
       response = plugin_.response, open = ChannelOpener(),
       abandoned = abandoned_]() -> absl::StatusOr<Approached> {
        absl::StatusOr<PluginApproach> found = FindApproach(request);
        files->Remember(request.endpoint);
        if (!found.ok()) {
          // What the line itself has decided waits for nobody to listen.
          const absl::Status secure =
              ChooseSecurity(tls, key_pair, response).status();
          return secure.ok() ? found.status() : secure;
        }
        // A look may take long, and a channel begins to connect.
        if (*abandoned) return absl::CancelledError("the launch has ended");
        Approached approached = {*std::move(found)};
        if (!request.multiplexed) {
          approached.channel = open({approached.approach.way});
        }
        return approached;
      },
      [multiplexed](Launch& self, absl::StatusOr<Approached> found) {
        if (self.state_ == State::kAddressing) {
          self.OnApproach(std::move(found), multiplexed);
        }
      });
}

void Launch::OnApproach(absl::StatusOr<Approached> found, bool multiplexed) {
  if (!found.ok()) {
    if (!MayStillCome(found.status())) return Fail(found.status());
    unreached_ = found.status();
    if (approaching_.Elapsed() >= Connector::kPatience) return OnDeadline();
    return quiet_.Start(kLookAgain,
                        [this, multiplexed] { Approach(multiplexed); });
  }
  if (found->channel.has_value()) return OnChannel(*std::move(found->channel));
  absl::StatusOr<std::shared_ptr<Door>> door = OpenMux(found->approach);
  if (!door.ok()) return Fail(door.status());
  TakeStep(
      context_.steps, context_.runtime.loop(), weak_from_this(),
      [open = ChannelOpener(), door = *std::move(door)] {
        return open({/*way=*/nullptr, door});
      },
      [](Launch& self, absl::StatusOr<ConnectTarget> target) {
        if (self.state_ == State::kAddressing) {
          self.OnChannel(std::move(target));
        }
      });
}

absl::StatusOr<std::shared_ptr<Door>> Launch::OpenMux(
    PluginApproach& approach) {
  MuxLink::Callbacks callbacks;
  callbacks.warn = [output = context_.output](std::string text) {
    output->Note(LogLevel::kWarn, std::move(text));
  };
  callbacks.on_end = [this](const absl::Status& status) { OnMuxEnd(status); };
  MuxLink::Target target;
  target.endpoint = plugin_.response.endpoint;
  target.way = approach.way;
  target.peers = plugin_.peers;
  target.place = std::move(approach.place);
  target.main_door = std::move(approach.door);
  target.make_door = DoorMaker(context_.keeper->files());
  absl::StatusOr<std::unique_ptr<MuxLink>> link = MuxLink::Open(
      context_.runtime.loop(), std::move(target), std::move(callbacks));
  if (!link.ok()) return link.status();
  std::shared_ptr<Door> door = (*link)->main_door();
  context_.keeper->KeepMux(*std::move(link));
  plugin_.multiplexed = true;
  return door;
}

void Launch::OnMuxEnd(const absl::Status& status) {
  if (!before(State::kEnding)) return;
  // The plugin's exit, if that is why, says more.
  quiet_.Start(kExitAfterMuxEnd, [this, status] { Fail(status); });
}

Launch::OpenChannel Launch::ChannelOpener() const {
  return [options = context_.options, key_pair = key_pair_,
          response = plugin_.response, &runtime = context_.runtime](
             const WayIn& way_in) -> absl::StatusOr<ConnectTarget> {
    const absl::Status usable = runtime.MakeCalls();
    if (!usable.ok()) return usable;
    return OpenPluginChannel(options, key_pair, response, way_in,
                             runtime.calls().bell());
  };
}

void Launch::OnChannel(absl::StatusOr<ConnectTarget> target) {
  if (!target.ok()) return Fail(target.status());
  state_ = State::kConnecting;
  // The connector has the same deadline, and tells more.
  deadline_.Start(Remaining() + kBackstop, [this] { OnDeadline(); });
  context_.keeper->KeepChannel(target->channel);
  plugin_.uses_tls = target->uses_tls;
  plugin_.early_calls = target->early_calls;
  plugin_.broker_security = target->broker_security;
  plugin_.can_be_reattached =
      !target->announced.has_value() && !plugin_.multiplexed;
  if (!plugin_.uses_tls &&
      context_.options.tls.mode == TlsMode::kAutoMtlsIfOffered) {
    context_.output->Note(LogLevel::kInfo,
                          "the plugin announced no certificate: the connection "
                          "has no TLS");
  }
  connector_ = std::make_shared<Connector>(
      ThreadsFor(context_), *std::move(target),
      [this](const absl::Status& status, Connector::Serving serving) {
        OnConnected(status, serving);
      });
  connector_->Start(Remaining());
}

}  // namespace goplugin::internal
