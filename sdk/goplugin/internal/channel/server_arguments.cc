#include "goplugin/internal/channel/server_arguments.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>

#include <memory>

namespace goplugin::internal {
namespace {

// As Go's: errors of Go services can fill 20 KB of trailing metadata.
constexpr int kMaxMetadata = 16 << 20;

}  // namespace

void SetServerArguments(grpc::ServerBuilder& builder) {
  // Health is a service of ours.
  builder.SetOption(
      std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
  // Releases since 1.54 read this one as the hard limit beside the soft one.
  builder.AddChannelArgument("grpc.absolute_max_metadata_size", kMaxMetadata);
  // pyvider hosts ping every 30 s, calls or not; gRPC would cut the connection.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // Shared ports would let two plugins of one user land on the same one.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace goplugin::internal
