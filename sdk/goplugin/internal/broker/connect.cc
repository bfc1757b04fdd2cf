#include "goplugin/internal/broker/connect.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/lifecycle/stopwatch.h"
#include "goplugin/internal/process/socket_sweep.h"
#include "goplugin/internal/tls/probe.h"

namespace goplugin::internal {
namespace {

// For the look at an endpoint that does not work.
constexpr absl::Duration kProbeTimeout = absl::Milliseconds(500);

ErrorDetails Failed(const BrokerTarget& target, Reason reason,
                    absl::Duration waited) {
  ErrorDetails details;
  details.reason = reason;
  details.what = absl::StrCat("no brokered connection to the ", target.peer,
                              " at ", target.endpoint.ToString());
  details.evidence = {absl::StrCat("after ", InMilliseconds(waited))};
  return details;
}

// What the endpoint itself has to say; OK when it looks as it should.
absl::Status Diagnose(const BrokerTarget& target, absl::Duration waited) {
  if (target.endpoint.network == Endpoint::Network::kUnix) {
    absl::Status socket = CheckUnixSocket(target.endpoint.address);
    if (!socket.ok()) {
      ErrorDetails details = Failed(target, Reason::kConnect, waited);
      details.evidence.emplace_back(GetErrorDetails(socket)->what);
      details.hint = absl::StrCat(
          "the ", target.peer,
          " must serve from before it announces the id "
          "until it was dialled; its socket must be visible to this process");
      return MakeError(details);
    }
  }
  absl::StatusOr<WireKind> seen = ProbeEndpoint(target.endpoint, kProbeTimeout);
  if (!seen.ok()) {
    ErrorDetails details = Failed(target, Reason::kConnect, waited);
    details.evidence.emplace_back(GetErrorDetails(seen.status())->what);
    details.hint = absl::StrCat("the ", target.peer,
                                " must serve from before it announces the id "
                                "until it was dialled");
    return MakeError(details);
  }
  const bool sees_tls = seen->kind == WireKind::Kind::kTls;
  const bool sees_plain = seen->kind == WireKind::Kind::kHttp2;
  if (!sees_tls && !sees_plain) return absl::OkStatus();
  if (sees_plain && !target.uses_tls) return absl::OkStatus();
  ErrorDetails details = Failed(target, Reason::kTls, waited);
  details.evidence.push_back(
      absl::StrCat("a TLS ClientHello was answered with ", seen->ToString()));
  details.hint =
      sees_plain ? "the other side serves this id without TLS, unlike the "
                   "main connection: update its go-plugin library (1.4.4 "
                   "or later), or give DialOptions::credentials"
      : target.uses_tls ? "both sides must use the certificates of the main "
                          "connection; gRPC's own log says what was refused"
                        : "the other side serves this id with TLS, unlike the "
                          "main connection: give DialOptions::credentials";
  return MakeError(details);
}

absl::Status NoAnswer(const BrokerTarget& target, absl::Duration waited) {
  ErrorDetails details = Failed(target, Reason::kConnect, waited);
  details.evidence.emplace_back(
      "something takes connections there, but does not answer as gRPC does");
  details.hint = absl::StrCat(
      "the ", target.peer,
      " is stopped, stuck or overloaded, or serves "
      "something else on this id; DialOptions::timeout bounds the wait");
  return MakeError(details);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectBrokered(
    const BrokerTarget& target, absl::Duration timeout) {
  const Stopwatch stopwatch;
  const auto deadline =
      std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout);
  std::shared_ptr<grpc::Channel> channel = CreatePluginChannel(
      ChannelTarget(target.endpoint), target.credentials, target.arguments, {});
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  // That began to connect. To be told so by a watch takes longer.
  if (state == GRPC_CHANNEL_IDLE) state = channel->GetState(false);
  bool diagnosed = false;
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE && !diagnosed) {
      diagnosed = true;
      absl::Status found = Diagnose(target, stopwatch.Elapsed());
      if (!found.ok()) return found;
    }
    if (!channel->WaitForStateChange(state, deadline)) {
      return NoAnswer(target, stopwatch.Elapsed());
    }
    state = channel->GetState(/*try_to_connect=*/true);
  }
  return channel;
}

}  // namespace goplugin::internal
