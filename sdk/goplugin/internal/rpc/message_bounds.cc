#include "goplugin/internal/rpc/message_bounds.h"

#include <grpc/compression.h>
#include <grpc/grpc.h>

#include "absl/strings/str_cat.h"

// In every gRPC, and in no header of its public ones: how the peer has
// compressed. The header that announces it is not shown to callers. Weak, for a
// gRPC that has it no more.
// NOLINTNEXTLINE(readability-identifier-naming)
__attribute__((weak)) grpc_compression_algorithm
grpc_call_test_only_get_compression_algorithm(grpc_call* call);

namespace goplugin::internal {

grpc::Status CheckNotCompressed(grpc::ClientContext& context) {
  if (grpc_call_test_only_get_compression_algorithm == nullptr ||
      context.c_call() == nullptr) {
    return grpc::Status::OK;
  }
  const grpc_compression_algorithm algorithm =
      grpc_call_test_only_get_compression_algorithm(context.c_call());
  if (algorithm == GRPC_COMPRESS_NONE) return grpc::Status::OK;
  const char* name = "some algorithm";
  grpc_compression_algorithm_name(algorithm, &name);
  return grpc::Status(
      grpc::StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat("the messages are compressed (", name,
                   "), and those of go-plugin's own services are not unpacked: "
                   "there is no bound to what they unpack to"));
}

grpc::Status CheckSize(const grpc::ByteBuffer& bytes, size_t most) {
  if (bytes.Length() <= most) return grpc::Status::OK;
  return grpc::Status(
      grpc::StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat("a message of ", bytes.Length(),
                   " bytes came, where at most ", most, " are taken"));
}

}  // namespace goplugin::internal
