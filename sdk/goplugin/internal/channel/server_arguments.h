#ifndef GOPLUGIN_INTERNAL_CHANNEL_SERVER_ARGUMENTS_H_
#define GOPLUGIN_INTERNAL_CHANNEL_SERVER_ARGUMENTS_H_

#include <grpcpp/server_builder.h>

namespace goplugin::internal {

// What every server of the SDK is built with, the plugin's own and brokered
// ones: the counterpart of MergeChannelArguments.
void SetServerArguments(grpc::ServerBuilder& builder);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_SERVER_ARGUMENTS_H_
