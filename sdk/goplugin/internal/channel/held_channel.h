#ifndef GOPLUGIN_INTERNAL_CHANNEL_HELD_CHANNEL_H_
#define GOPLUGIN_INTERNAL_CHANNEL_HELD_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/version_info.h>

#include <memory>
#include <string>

#include "goplugin/internal/channel/channel.h"

namespace goplugin::internal {

// Whether gRPC forgets a connection whose first answer comes after its channel
// has gone, and never closes it. It does on 1.51, and not on 1.83.
constexpr bool kLosesLateConnections =
    GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 70;

// A channel that ends no sooner than gRPC can be left to it: one that goes
// while it connects has its sockets shut down at once, and is held in secret
// until gRPC has closed them. The interceptors end on the thread that drops it,
// or, where calls go on that may need them, with the channel. For the gRPC that
// loses late connections.
std::shared_ptr<grpc::Channel> CreateHeldChannel(
    const std::string& target,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    grpc::ChannelArguments arguments, InterceptorFactories interceptors);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_HELD_CHANNEL_H_
