#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <memory>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A way in to a server for connections of this room. Thread-safe.
class EndpointListener {
 public:
  // Null where gRPC does not take that. Of the server that `builder` will make.
  static std::unique_ptr<EndpointListener> AddTo(
      grpc::ServerBuilder& builder,
      const std::shared_ptr<grpc::ServerCredentials>& credentials);
  virtual ~EndpointListener() = default;

  // Hands the connection, which must not block, to the server, which must have
  // been started. Without an io thread it becomes one of gRPC's own.
  virtual void Take(UniqueFd connection) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_
