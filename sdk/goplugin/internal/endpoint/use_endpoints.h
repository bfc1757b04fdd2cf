#ifndef GOPLUGIN_INTERNAL_ENDPOINT_USE_ENDPOINTS_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_USE_ENDPOINTS_H_

#include <grpcpp/support/channel_arguments.h>

#include "goplugin/internal/endpoint/byte_stream.h"

namespace goplugin::internal {

// Has the channel that is made with the arguments connect by this room, each
// time it connects. Changes nothing where gRPC does not take that, and where
// the caller has an engine or a socket mutator of his own.
void UseEndpoints(grpc::ChannelArguments& arguments);

// Has it connect by the streams that `open` opens, wherever its target leads;
// an engine of the caller's does everything else. Only where gRPC takes that.
void UseStreams(OpenStream open, grpc::ChannelArguments& arguments);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_USE_ENDPOINTS_H_
