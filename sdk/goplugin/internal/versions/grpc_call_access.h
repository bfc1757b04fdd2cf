#ifndef GOPLUGIN_INTERNAL_VERSIONS_GRPC_CALL_ACCESS_H_
#define GOPLUGIN_INTERNAL_VERSIONS_GRPC_CALL_ACCESS_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/rpc_method.h>

#include <cstdint>
#include <string>

namespace goplugin::internal {
struct CallAccessMessage;
}  // namespace goplugin::internal

// A channel is an interface with private virtual functions, for the friends
// that generated code uses: templates over the messages, the same in all
// versions. One of them, for a message of ours, is ours.
template <>
class grpc::internal::BlockingUnaryCallImpl<
    goplugin::internal::CallAccessMessage,
    goplugin::internal::CallAccessMessage> {
 public:
  // A call of `channel`, begun by whoever performs its first operation.
  static Call CreateCall(grpc::ChannelInterface& channel,
                         const RpcMethod& method, grpc::ClientContext* context,
                         grpc::CompletionQueue* queue) {
    return channel.CreateCall(method, context, queue);
  }
  // Lives as long as the channel.
  static grpc::CompletionQueue* CallbackCQ(grpc::ChannelInterface& channel) {
    return channel.CallbackCQ();
  }
  // What set_wait_for_ready has said: GRPC_INITIAL_METADATA_WAIT_FOR_READY...
  static std::uint32_t InitialMetadataFlags(
      const grpc::ClientContext& context) {
    return context.initial_metadata_flags();
  }
  // What set_authority has said.
  static std::string Authority(grpc::ClientContext& context) {
    return context.authority();
  }
};

namespace goplugin::internal {

using CallAccess =
    grpc::internal::BlockingUnaryCallImpl<CallAccessMessage, CallAccessMessage>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_VERSIONS_GRPC_CALL_ACCESS_H_
