#include "goplugin/internal/broker/connect.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/broker/use_door.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/process/unix_socket.h"
#include "goplugin/internal/tls/probe.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {
namespace {

// For the look at an endpoint that does not work.
constexpr absl::Duration kProbeTimeout = absl::Milliseconds(500);

ErrorDetails Failed(const BrokerTarget& target, Reason reason) {
  ErrorDetails details;
  details.reason = reason;
  details.what =
      absl::StrCat("no brokered connection to the ", target.peer, " at ",
                   target.door == nullptr ? target.endpoint.ToString()
                                          : "the multiplexed connection");
  details.evidence = {
      absl::StrCat("after ", InMilliseconds(target.since.Elapsed()))};
  return details;
}

// Whether there is a socket at all.
absl::Status DiagnoseFile(const BrokerTarget& target) {
  if (target.endpoint.network != Endpoint::Network::kUnix) {
    return absl::OkStatus();
  }
  const absl::Status socket = CheckUnixSocket(target.endpoint.address);
  if (socket.ok()) return absl::OkStatus();
  ErrorDetails details = Failed(target, Reason::kConnect);
  details.evidence.emplace_back(GetErrorDetails(socket)->what);
  details.hint = absl::StrCat(
      "the ", target.peer,
      " must serve from before it announces the id "
      "until it was dialled; its socket must be visible to this process");
  return MakeError(details);
}

// `why` it could not be connected to.
absl::Status NobodyThere(const BrokerTarget& target, const absl::Status& why) {
  ErrorDetails details = Failed(target, Reason::kConnect);
  const absl::optional<ErrorDetails> cause = GetErrorDetails(why);
  if (cause.has_value()) {
    details.evidence.insert(details.evidence.end(), cause->evidence.begin(),
                            cause->evidence.end());
  }
  details.hint = absl::StrCat("the ", target.peer,
                              " must serve from before it announces the id "
                              "until it was dialled");
  return MakeError(details);
}

// What the endpoint itself has to say; OK when it looks as it should. It is
// asked where the channel leads: by now its path may lead to somebody else.
absl::Status Diagnose(const BrokerTarget& target) {
  // A stream can't be looked at from outside.
  if (target.door != nullptr && !target.door->is_socket()) {
    return absl::OkStatus();
  }
  absl::Status file = DiagnoseFile(target);
  if (!file.ok()) return file;
  const Endpoint& place =
      target.way == nullptr ? target.endpoint : target.way->endpoint();
  absl::StatusOr<WireKind> seen = ProbeEndpoint(place, kProbeTimeout);
  if (!seen.ok()) return NobodyThere(target, seen.status());
  const bool sees_tls = seen->kind == WireKind::Kind::kTls;
  const bool sees_plain = seen->kind == WireKind::Kind::kHttp2;
  if (!sees_tls && !sees_plain) return absl::OkStatus();
  if (sees_plain && !target.uses_tls) return absl::OkStatus();
  ErrorDetails details = Failed(target, Reason::kTls);
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

// Why a multiplexed connection got no stream.
absl::Status TroubleOf(const BrokerTarget& target) {
  return target.door == nullptr ? absl::OkStatus() : target.door->trouble();
}

absl::Status WithTime(const absl::Status& trouble, absl::Duration waited) {
  ErrorDetails details = GetErrorDetails(trouble).value_or(ErrorDetails());
  details.evidence.push_back(absl::StrCat("waited ", InMilliseconds(waited)));
  return MakeError(details);
}

// Whether it is worth waiting for: gRPC tries again.
bool MayPass(const absl::Status& trouble) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(trouble);
  return trouble.ok() ||
         (details.has_value() && details->reason == Reason::kBrokerTimeout);
}

absl::Status NoAnswer(const BrokerTarget& target) {
  ErrorDetails details = Failed(target, Reason::kConnect);
  details.evidence.emplace_back(
      "something takes connections there, but does not answer as gRPC does");
  details.hint = absl::StrCat(
      "the ", target.peer,
      " is stopped, stuck or overloaded, or serves "
      "something else on this id; DialOptions::timeout bounds the wait");
  return MakeError(details);
}

// How often it is looked whether the broker has ended.
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);

absl::Status Ended(const BrokerTarget& target) {
  return target.ended == nullptr ? absl::OkStatus() : target.ended();
}

absl::Status NoLook(const BrokerTarget& target) {
  ErrorDetails details = Failed(target, Reason::kConnect);
  details.evidence.emplace_back("a look at the address did not come back");
  details.hint =
      "the file system that its socket is on, or the name service, does not "
      "answer; DialOptions::timeout bounds the wait";
  return MakeError(details);
}

// What `look` brings, at most `timeout` later. It runs aside: what it asks may
// be stuck.
template <typename Result>
Result LookAside(const BrokerTarget& target, absl::Duration timeout,
                 Result (*look)(const BrokerTarget&)) {
  if (target.aside == nullptr) return look(target);
  struct Seen {
    SteadyNotification known;
    absl::optional<Result> result;
  };
  const Stopwatch stopwatch;
  const auto seen = std::make_shared<Seen>();
  // It may come back when the broker is gone: it must hold nothing of it.
  BrokerTarget alone = target;
  alone.ended = nullptr;
  alone.aside = nullptr;
  target.aside([seen, alone = std::move(alone), look] {
    seen->result = look(alone);
    seen->known.Notify();
  });
  while (true) {
    const absl::Duration left = stopwatch.Remaining(timeout);
    if (seen->known.WaitFor(std::min(left, kBetweenLooks))) {
      return *std::move(seen->result);
    }
    absl::Status ended = Ended(target);
    if (!ended.ok()) return ended;
    if (left <= kBetweenLooks) return NoLook(target);
  }
}

using FoundWay = absl::StatusOr<std::shared_ptr<const Way>>;

FoundWay FindWayTo(const BrokerTarget& target) {
  const absl::Status status = DiagnoseFile(target);
  if (!status.ok()) return status;
  FoundWay way = FindWay(target.endpoint, target.peers);
  if (way.ok() || !MayStillCome(way.status())) return way;
  return NobodyThere(target, way.status());
}

// Where gRPC connects to, and what has to live as long as its channel. Finds
// the target's way.
absl::StatusOr<std::string> Prepare(BrokerTarget& target,
                                    absl::Duration timeout,
                                    grpc::ChannelArguments& arguments) {
  if (target.door != nullptr) {
    UseDoor(target.door, arguments);
    return ChannelTarget(target.endpoint);
  }
  const absl::Status status = CheckNamed(target.endpoint, target.peers);
  if (!status.ok()) return status;
  if (target.endpoint.network != Endpoint::Network::kUnix ||
      !target.peers.user.has_value()) {
    return ChannelTarget(target.endpoint);
  }
  const FoundWay way = LookAside<FoundWay>(target, timeout, &FindWayTo);
  if (!way.ok()) return way.status();
  target.way = *way;
  KeepAlive(*way, arguments);
  return ChannelTarget((*way)->endpoint());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(BrokerTarget target,
                                                       absl::Duration timeout) {
  const Stopwatch stopwatch;
  const auto deadline = DeadlineAfter(timeout);
  grpc::ChannelArguments arguments = target.arguments;
  const absl::StatusOr<std::string> place = Prepare(target, timeout, arguments);
  if (!place.ok()) return place.status();
  std::shared_ptr<grpc::Channel> channel =
      CreatePluginChannel(*place, target.credentials, arguments, {});
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  // That began to connect. To be told so by a watch takes longer.
  if (state == GRPC_CHANNEL_IDLE) state = channel->GetState(false);
  bool diagnosed = false;
  while (state != GRPC_CHANNEL_READY) {
    const absl::Status trouble = TroubleOf(target);
    if (!MayPass(trouble)) return trouble;
    absl::Status ended = Ended(target);
    if (!ended.ok()) return ended;
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE && trouble.ok() && !diagnosed) {
      diagnosed = true;
      absl::Status found = LookAside<absl::Status>(
          target, stopwatch.Remaining(timeout), &Diagnose);
      if (!found.ok()) return found;
    }
    const auto look = std::min(deadline, DeadlineAfter(kBetweenLooks));
    if (!channel->WaitForStateChange(state, look)) {
      if (look < deadline) continue;
      const absl::Status why = TroubleOf(target);
      return why.ok() ? NoAnswer(target)
                      : WithTime(why, target.since.Elapsed());
    }
    state = channel->GetState(/*try_to_connect=*/true);
  }
  return channel;
}

absl::Status NoTimeLeft(const BrokerTarget& target) {
  ErrorDetails details;
  details.reason = Reason::kBrokerTimeout;
  details.what = "no time was left to connect to what was announced";
  details.evidence = {target.endpoint.ToString()};
  details.hint = "raise DialOptions::timeout; a negative one has always passed";
  return MakeError(details);
}

// gRPC 1.51 reads connect's errno after other calls, and now and then takes a
// tcp connection in progress for a failed one, which can't be told from a
// refused certificate. So what seems to be TLS's fault has to fail twice.
bool MayBeChance(const BrokerTarget& target, const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  return details.has_value() && details->reason == Reason::kTls &&
         target.uses_tls && target.endpoint.network == Endpoint::Network::kTcp;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectBrokered(
    const BrokerTarget& target, absl::Duration timeout) {
  const Stopwatch stopwatch;
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      timeout > absl::ZeroDuration() ? Connect(target, timeout)
                                     : NoTimeLeft(target);
  if (!channel.ok() && MayBeChance(target, channel.status())) {
    // A new channel: the first would wait before it tries again.
    channel = Connect(target, stopwatch.Remaining(timeout));
  }
  if (!channel.ok() && target.door != nullptr) target.door->Close();
  return channel;
}

}  // namespace goplugin::internal
