#include "goplugin/internal/connect/open_channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/broker/use_door.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/connect/channel_security.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

using InterceptorFactory =
    grpc::experimental::ClientInterceptorFactoryInterface;

// The two that live as long as the plugin.
bool IsStreamOfSdk(absl::string_view method) {
  return absl::StartsWith(method, "/plugin.GRPCStdio/") ||
         absl::StartsWith(method, "/plugin.GRPCBroker/");
}

bool IsHealthCheck(absl::string_view method) {
  return absl::StartsWith(method, "/grpc.health.v1.Health/");
}

// A user's interceptors, which see the user's calls, health and Shutdown: they
// may carry what authorises a call. Not the streams, whose events are no place
// for a user's code.
class NotForStreams final : public InterceptorFactory {
 public:
  explicit NotForStreams(std::unique_ptr<InterceptorFactory> users)
      : users_(std::move(users)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    if (IsStreamOfSdk(info->method())) return nullptr;
    return users_->CreateClientInterceptor(info);
  }

 private:
  const std::unique_ptr<InterceptorFactory> users_;
};

// Of each call that begins, but not of those that are the SDK's own: the bell
// is for their thread to make room.
class SeesCallsBegin final : public InterceptorFactory {
 public:
  SeesCallsBegin(std::shared_ptr<CallBell> bell,
                 std::shared_ptr<EarlyCalls> early)
      : bell_(std::move(bell)), early_(std::move(early)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    const absl::string_view method = info->method();
    if (IsStreamOfSdk(method) || IsHealthCheck(method)) return nullptr;
    if (bell_ != nullptr) bell_->Ring();
    return early_->See().release();
  }

 private:
  const std::shared_ptr<CallBell> bell_;
  const std::shared_ptr<EarlyCalls> early_;
};

InterceptorFactories MakeInterceptors(
    const ClientOptions& options, const std::shared_ptr<CallBell>& bell,
    const std::shared_ptr<EarlyCalls>& early) {
  InterceptorFactories factories;
  factories.push_back(std::make_unique<SeesCallsBegin>(bell, early));
  if (options.interceptors == nullptr) return factories;
  for (std::unique_ptr<InterceptorFactory>& users : options.interceptors()) {
    if (users == nullptr) continue;
    factories.push_back(std::make_unique<NotForStreams>(std::move(users)));
  }
  return factories;
}

// The name in a target is what its certificate is for, unless it is a path, an
// address, or the caller says otherwise.
grpc::ChannelArguments ArgumentsFor(const ClientOptions& options,
                                    const absl::optional<Endpoint>& endpoint,
                                    const ChannelSecurity& security) {
  const bool named = !endpoint.has_value() && options.tls.server_name.empty();
  return named ? MergeChannelArguments(options.channel_arguments)
               : MergeChannelArguments(options.channel_arguments,
                                       security.server_name);
}

// A channel's credentials can't serve.
BrokerSecurity DialOnly(
    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  BrokerSecurity broker;
  broker.channel_credentials = [credentials] { return credentials; };
  broker.server_credentials =
      []() -> absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> {
    return MakeError(
        Reason::kBrokerUnsupported,
        "brokered connections can't be served with channel credentials alone",
        "attach with TlsMode::kManual or kInsecure in options.tls");
  };
  return broker;
}

}  // namespace

absl::StatusOr<ConnectTarget> OpenPluginChannel(
    const ClientOptions& options, const absl::optional<KeyPair>& key_pair,
    const HandshakeResponse& response, const WayIn& way_in,
    const std::shared_ptr<CallBell>& bell) {
  absl::StatusOr<ChannelSecurity> security =
      ChooseSecurity(options.tls, key_pair, response);
  if (!security.ok()) return security.status();
  ConnectTarget target;
  target.name = response.endpoint.ToString();
  target.endpoint = response.endpoint;
  target.nobody_hint =
      "nobody serves where the plugin's handshake line points: it must listen "
      "before it prints the line, and go on listening";
  grpc::ChannelArguments arguments =
      MergeChannelArguments(options.channel_arguments, security->server_name);
  if (way_in.way != nullptr) {
    target.endpoint = way_in.way->endpoint();
    KeepAlive(way_in.way, arguments);
  } else if (way_in.door != nullptr) {
    target.endpoint = way_in.door->endpoint();
    UseDoor(way_in.door, arguments);
  }
  target.early_calls = std::make_shared<EarlyCalls>();
  target.channel = CreatePluginChannel(
      ChannelTarget(*target.endpoint), security->credentials, arguments,
      MakeInterceptors(options, bell, target.early_calls));
  // It connects while the loop hears of it.
  target.channel->GetState(/*try_to_connect=*/true);
  target.uses_tls = security->uses_tls;
  target.tls_client = security->tls_client;
  target.broker_security =
      SecureBrokeredAlike(*security, options.tls, key_pair);
  target.announced = std::move(security->announced);
  return target;
}

absl::StatusOr<ConnectTarget> OpenTargetChannel(
    const ClientOptions& options, const std::string& uri,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const std::shared_ptr<CallBell>& bell) {
  ChannelSecurity security;
  security.credentials = credentials;
  security.uses_tls = credentials != nullptr;
  if (credentials == nullptr) {
    absl::StatusOr<ChannelSecurity> chosen =
        ChooseSecurity(options.tls, absl::nullopt, HandshakeResponse());
    if (!chosen.ok()) return chosen.status();
    security = *std::move(chosen);
  }
  ConnectTarget target;
  target.name = uri;
  target.endpoint = EndpointOfTarget(uri);
  target.nobody_hint =
      "nobody serves at that target: start the plugin first, and check the "
      "target's spelling and the way to it";
  target.early_calls = std::make_shared<EarlyCalls>();
  target.channel =
      CreatePluginChannel(uri, security.credentials,
                          ArgumentsFor(options, target.endpoint, security),
                          MakeInterceptors(options, bell, target.early_calls));
  target.uses_tls = security.uses_tls;
  target.tls_client = security.tls_client;
  if (credentials == nullptr) {
    target.broker_security =
        SecureBrokeredAlike(security, options.tls, absl::nullopt);
  } else {
    target.broker_security = DialOnly(credentials);
  }
  // A new channel has not tried anything yet. The one that gRPC hands out for a
  // target that it can't parse has failed already.
  if (target.channel->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_IDLE) {
    return MakeError(Reason::kOptions,
                     absl::StrCat("gRPC can't use the target ", Quote(uri)),
                     "give a target like unix:/run/kv.sock, dns:///host:443 or "
                     "ipv4:127.0.0.1:443; gRPC's own log says what is wrong");
  }
  return target;
}

}  // namespace goplugin::internal
