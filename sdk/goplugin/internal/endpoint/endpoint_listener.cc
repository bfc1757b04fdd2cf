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
#include "goplugin/internal/endpoint/socket_endpoint.h"
#include "goplugin/internal/process/unique_fd.h"

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

  void Take(UniqueFd connection) override {
    std::unique_ptr<IoPlace> place = IoPlace::Take();
    if (place == nullptr) {
      // gRPC's from here, whatever it says: closed at the connection's end.
      static_cast<void>(listener_->AcceptConnectedFd(connection.release()));
      return;
    }
    std::unique_ptr<EventEngine::Endpoint> endpoint =
        MakeSocketEndpoint(std::move(connection), std::move(place));
    if (endpoint == nullptr) return;
    // An error is that the server is shut down: the connection is closed.
    static_cast<void>(listener_->AcceptConnectedEndpoint(std::move(endpoint)));
  }

 private:
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
