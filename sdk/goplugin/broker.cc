#include "goplugin/broker.h"

#include <grpc/grpc.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/broker/broker_core.h"
#include "goplugin/internal/broker/broker_place.h"
#include "goplugin/internal/broker/connect.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/channel/server_arguments.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/loop/stopwatch.h"

namespace goplugin {

using internal::BrokerCore;
using internal::BrokerPlace;
using internal::BrokerSecurity;
using internal::MakeError;

namespace {

// Whether the caller wants nothing special, and may share a connection.
bool IsPlain(const DialOptions& options) {
  grpc_channel_args given;
  grpc_channel_args usual;
  const grpc::ChannelArguments none;
  options.arguments.SetChannelArgs(&given);
  none.SetChannelArgs(&usual);
  return options.credentials == nullptr && given.num_args == usual.num_args;
}

// In a forked child: it is the parent's, and its threads do not exist here.
// Kept reachable, so that leak checkers see that it is meant.
template <typename T>
void Abandon(std::unique_ptr<T> owned) {
  static auto* abandoned = new std::vector<std::unique_ptr<T>>;
  abandoned->push_back(std::move(owned));
}

absl::Status CheckGrace(absl::Duration grace) {
  if (grace >= absl::ZeroDuration()) return absl::OkStatus();
  return MakeError(Reason::kOptions,
                   absl::StrCat("AcceptOptions::shutdown_grace is ",
                                absl::FormatDuration(grace)),
                   "give a time of 0 or more, or InfiniteDuration for no end");
}

}  // namespace

BrokerListener::BrokerListener(
    std::unique_ptr<BrokerPlace> place,
    std::shared_ptr<grpc::ServerCredentials> credentials)
    : place_(std::move(place)), credentials_(std::move(credentials)) {}

BrokerListener::~BrokerListener() {
  if (place_->forked()) Abandon(std::move(place_));
}

void BrokerListener::AddTo(grpc::ServerBuilder& builder) {
  internal::SetServerArguments(builder);
  place_->AddTo(builder, credentials_);
}

absl::Status BrokerListener::Announce(std::uint32_t id) {
  return place_->Announce(id);
}

Endpoint BrokerListener::endpoint() const { return place_->endpoint(); }

BrokerServer::BrokerServer(std::unique_ptr<BrokerListener> listener,
                           std::unique_ptr<grpc::Server> server,
                           absl::Duration grace)
    : listener_(std::move(listener)),
      server_(std::move(server)),
      grace_(grace) {}

BrokerServer::~BrokerServer() {
  if (listener_->place_->forked()) {
    Abandon(std::move(server_));
    return;
  }
  listener_->place_->Close();
  server_->Shutdown(internal::DeadlineAfter(grace_));
}

absl::Status BrokerServer::Announce(std::uint32_t id) {
  return listener_->Announce(id);
}

Endpoint BrokerServer::endpoint() const { return listener_->endpoint(); }

Broker::Broker(std::shared_ptr<BrokerCore> core) : core_(std::move(core)) {}

Broker::~Broker() = default;

std::uint32_t Broker::NextId() { return core_->NextId(); }

absl::StatusOr<std::shared_ptr<grpc::Channel>> Broker::Dial(
    std::uint32_t id, const DialOptions& options) {
  const internal::Stopwatch stopwatch;
  auto channel = DialFor(id, options);
  const auto& tell = core_->setup().on_dialled;
  if (tell != nullptr) tell(id, channel.status(), stopwatch.Elapsed());
  return channel;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Broker::DialFor(
    std::uint32_t id, const DialOptions& options) {
  const internal::Stopwatch stopwatch;
  absl::Status status = core_->CheckMayBlock();
  if (!status.ok()) return status;
  const BrokerSecurity& security = core_->setup().security;
  internal::BrokerTarget target;
  target.credentials = options.credentials;
  if (target.credentials == nullptr &&
      security.channel_credentials != nullptr) {
    auto alike = security.channel_credentials();
    if (!alike.ok()) return alike.status();
    target.credentials = *std::move(alike);
  }
  if (target.credentials == nullptr) {
    return MakeError(
        Reason::kOptions,
        "there are no credentials to dial brokered connections with",
        "the main connection's are the caller's own: give "
        "DialOptions::credentials as well");
  }
  if (core_->multiplexed()) {
    auto door = core_->OpenDoor(id);
    if (!door.ok()) return door.status();
    target.endpoint = (*door)->endpoint();
    target.door = *std::move(door);
  } else {
    absl::StatusOr<Endpoint> endpoint = core_->Await(id, options.timeout);
    if (!endpoint.ok()) return endpoint.status();
    target.endpoint = *std::move(endpoint);
    target.peers = core_->setup().peers;
  }
  const bool shared = !core_->multiplexed() && IsPlain(options);
  if (shared) {
    if (auto channel = core_->channels().Find(target.endpoint)) return channel;
  }
  target.arguments =
      internal::MergeChannelArguments(options.arguments, security.server_name);
  target.uses_tls =
      options.credentials != nullptr || !security.server_name.empty();
  target.peer = core_->setup().peer;
  target.ended = [this] { return core_->end(); };
  target.aside = core_->setup().aside;
  auto channel =
      internal::ConnectBrokered(target, stopwatch.Remaining(options.timeout));
  if (!channel.ok()) return core_->ExplainFailure(channel.status());
  if (shared) core_->channels().Add(target.endpoint, *channel);
  return channel;
}

absl::StatusOr<std::unique_ptr<BrokerServer>> Broker::AcceptAndServe(
    std::uint32_t id, const std::vector<grpc::Service*>& services,
    AcceptOptions options) {
  absl::Status status = CheckGrace(options.shutdown_grace);
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<BrokerListener>> listener =
      Listen(std::move(options.credentials));
  if (!listener.ok()) return listener.status();
  grpc::ServerBuilder builder;
  (*listener)->AddTo(builder);
  // gRPC would start threads for every processor. More come with the calls.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  for (grpc::Service* service : services) {
    if (service == nullptr) {
      return MakeError(Reason::kOptions, "a service to accept with is null",
                       "give pointers to services that outlive the server");
    }
    builder.RegisterService(service);
  }
  if (options.configure) options.configure(builder);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return core_->ExplainFailure(MakeError(
        Reason::kTransport,
        absl::StrCat("gRPC can't serve brokered connection ", id, " on ",
                     (*listener)->endpoint().ToString()),
        "gRPC's own message on stderr says why; two services of one name can "
        "be the cause, or broken credentials"));
  }
  auto result = absl::WrapUnique(new BrokerServer(
      *std::move(listener), std::move(server), options.shutdown_grace));
  status = result->Announce(id);
  if (!status.ok()) return status;
  return result;
}

absl::StatusOr<std::unique_ptr<BrokerListener>> Broker::Listen(
    std::shared_ptr<grpc::ServerCredentials> credentials) {
  absl::Status status = core_->CheckMayBlock();
  if (!status.ok()) return status;
  if (credentials == nullptr) {
    auto alike = core_->setup().security.server_credentials();
    if (!alike.ok()) return alike.status();
    credentials = *std::move(alike);
  }
  absl::StatusOr<std::unique_ptr<BrokerPlace>> place =
      BrokerPlace::Create(core_);
  if (!place.ok()) return place.status();
  return absl::WrapUnique(
      new BrokerListener(*std::move(place), std::move(credentials)));
}

}  // namespace goplugin
