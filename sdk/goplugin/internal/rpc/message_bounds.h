#ifndef GOPLUGIN_INTERNAL_RPC_MESSAGE_BOUNDS_H_
#define GOPLUGIN_INTERNAL_RPC_MESSAGE_BOUNDS_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstddef>

#include "goplugin/internal/versions/grpc_proto_utils.h"

namespace goplugin::internal {

// What one message of a plugin's own services may have. The channel takes
// messages of any size, for the user's calls; the SDK's own are measured here.
constexpr size_t kMaxControlMessage = size_t{4} * 1024 * 1024;
constexpr size_t kMaxStdioMessage = size_t{64} * 1024 * 1024;

// After the initial metadata, and before anything is read: gRPC unpacks a
// compressed message whole, whatever it unpacks to, so that a stream of
// compressed ones can't be read within a bound. RESOURCE_EXHAUSTED then.
grpc::Status CheckNotCompressed(grpc::ClientContext& context);

// RESOURCE_EXHAUSTED when it has more than `most` bytes.
grpc::Status CheckSize(const grpc::ByteBuffer& bytes, size_t most);

// Reads `bytes`, and lets go of them. Errors: CheckSize's; INTERNAL when they
// are no such message.
template <typename Message>
grpc::Status Unpack(grpc::ByteBuffer& bytes, size_t most, Message& message) {
  grpc::Status status = CheckSize(bytes, most);
  if (status.ok()) {
    status = grpc::SerializationTraits<Message>::Deserialize(&bytes, &message);
  }
  bytes.Clear();
  return status;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_MESSAGE_BOUNDS_H_
