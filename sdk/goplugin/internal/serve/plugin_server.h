#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/net/acceptors.h"
#include "goplugin/internal/serve/accept_threads.h"
#include "goplugin/internal/serve/plugin_directories.h"
#include "goplugin/internal/serve/plugin_socket.h"

namespace goplugin::internal {

// What to serve, where, and how.
struct ServerPlan {
  // Not owned; must outlive the server. None of the async API.
  std::vector<grpc::Service*> services = {};
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;
  // The first that can be had.
  std::vector<Endpoint::Network> networks = {};
  int min_port = 0;
  int max_port = 0;
  // Where unix sockets go, and what accepts at them: both outlive the server.
  std::shared_ptr<PluginDirectories> directories = nullptr;
  std::shared_ptr<AcceptThreads> threads = nullptr;
  std::function<void(grpc::ServerBuilder&)> configure = nullptr;
};

// Listens on the first of the networks where `listen` can. kTransport, with the
// error of each, when there is none.
absl::Status ListenOnFirst(
    const std::vector<Endpoint::Network>& networks,
    absl::FunctionRef<absl::Status(Endpoint::Network)> listen);

// The plugin's gRPC server, and its socket in the file system.
class PluginServer {
 public:
  // Listens and serves. kTransport when there is nowhere to listen.
  static absl::StatusOr<std::unique_ptr<PluginServer>> Start(
      const ServerPlan& plan);
  // Serves, and listens nowhere: what comes is given to the intake.
  static absl::StatusOr<std::unique_ptr<PluginServer>> StartHidden(
      const ServerPlan& plan);

  const Endpoint& endpoint() const { return endpoint_; }
  // nullptr for tcp.
  const std::shared_ptr<ConnectionIntake>& intake() const { return intake_; }

  // Takes no more calls, lets those under way run for `grace`, then cancels
  // them. Removes the socket. False when a method still runs half a second
  // after that: then neither this object nor the services may be destroyed.
  bool Shutdown(absl::Duration grace);
  // After Shutdown: waits until the last method has returned.
  void WaitForMethods();

 private:
  PluginServer() = default;

  absl::Status Listen(Endpoint::Network network, const ServerPlan& plan);
  absl::Status ListenUnix(const ServerPlan& plan);
  absl::Status ListenTcp(const ServerPlan& plan);
  // With an intake, and no port.
  absl::Status BuildHidden(const ServerPlan& plan);

  Endpoint endpoint_;
  // nullptr for tcp, and where it is hidden.
  std::unique_ptr<PluginSocket> socket_;
  std::shared_ptr<ConnectionIntake> intake_;
  std::unique_ptr<Accepting> accepting_;
  std::unique_ptr<grpc::Server> server_;
  const std::shared_ptr<absl::Notification> stopped_ =
      std::make_shared<absl::Notification>();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_
