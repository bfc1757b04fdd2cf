#ifndef GOPLUGIN_INTERNAL_CHANNEL_CHANNEL_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// The gRPC target that names `endpoint`: "unix:/run/a%23b", "ipv4:127.0.0.1:1",
// "dns:///host:1".
std::string ChannelTarget(const Endpoint& endpoint);

// The endpoint that gRPC's `target` names, where that is a path or an IP
// address: "unix:///run/a", "ipv4:127.0.0.1:1", "ipv6:[::1]:1". nullopt for
// names, lists of addresses, and whatever other resolvers make of it.
absl::optional<Endpoint> EndpointOfTarget(const std::string& target);

// The caller's arguments, and ours where the caller has none of that name.
// `server_name` is the name to verify and to send as :authority under TLS;
// empty without TLS.
grpc::ChannelArguments MergeChannelArguments(
    const grpc::ChannelArguments& callers, const std::string& server_name);

// The same without names: those that the target itself has are verified and
// sent.
grpc::ChannelArguments MergeChannelArguments(
    const grpc::ChannelArguments& callers);

// An argument that does nothing but keep an object alive for as long as the
// channel, or the server, that is made with the arguments. One per arguments.
void KeepAlive(std::shared_ptr<const void> kept,
               grpc::ChannelArguments& arguments);

using InterceptorFactories = std::vector<
    std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// A channel with a connection of its own, not yet connected. Never null.
std::shared_ptr<grpc::Channel> CreatePluginChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& arguments, InterceptorFactories interceptors);

// A channel whose calls fail with UNAVAILABLE: what a client that was shut down
// hands out. One for all; its first use starts gRPC, which then stays.
const std::shared_ptr<grpc::Channel>& ShutDownChannel();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CHANNEL_H_
