#include "goplugin/internal/endpoint/endpoint_listener.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <memory>

#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpcpp/passive_listener.h>

#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/endpoint/stream_endpoint.h"

namespace goplugin::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

class PassiveEndpoints final : public EndpointListener {
 public:
  PassiveEndpoints(
      grpc::ServerBuilder& builder,
      const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    builder.experimental().AddPassiveListener(credentials, listener_);
  }

  void Take(LocalEnd connection) override {
    if (connection.stream != nullptr) {
      return Accept(MakeStreamEndpoint(std::move(connection.stream), Unnamed(),
                                       Unnamed()));
    }
    std::unique_ptr<IoPlace> place = IoPlace::Take();
    if (place != nullptr) {
      return Accept(
          MakeSocketEndpoint(std::move(connection.socket), std::move(place)));
    }
    // gRPC's from here, whatever it says: closed at the connection's end.
    static_cast<void>(
        listener_->AcceptConnectedFd(connection.socket.release()));
  }

 private:
  void Accept(std::unique_ptr<EventEngine::Endpoint> endpoint) {
    if (endpoint == nullptr) return;
    // An error is that the server is shut down: the connection is closed.
    static_cast<void>(listener_->AcceptConnectedEndpoint(std::move(endpoint)));
  }

  std::unique_ptr<grpc::experimental::PassiveListener> listener_;
};

}  // namespace

std::unique_ptr<EndpointListener> EndpointListener::AddTo(
    grpc::ServerBuilder& builder,
    const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  if (!UsesOwnEndpoints()) return nullptr;
  return std::make_unique<PassiveEndpoints>(builder, credentials);
}

}  // namespace goplugin::internal

#else

namespace goplugin::internal {

std::unique_ptr<EndpointListener> EndpointListener::AddTo(
    grpc::ServerBuilder& /*builder*/,
    const std::shared_ptr<grpc::ServerCredentials>& /*credentials*/) {
  return nullptr;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
