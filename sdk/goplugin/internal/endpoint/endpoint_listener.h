#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <memory>

#include "goplugin/internal/endpoint/local_end.h"

namespace goplugin::internal {

// A way in to a server for connections of this room. Thread-safe.
class EndpointListener {
 public:
  // Null where gRPC does not take that. Of the server that `builder` will make.
  static std::unique_ptr<EndpointListener> AddTo(
      grpc::ServerBuilder& builder,
      const std::shared_ptr<grpc::ServerCredentials>& credentials);
  virtual ~EndpointListener() = default;

  // Hands the connection to the server, which must have been started. A socket
  // becomes one of gRPC's own where there is no io thread.
  virtual void Take(LocalEnd connection) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_LISTENER_H_
