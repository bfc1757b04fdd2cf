#ifndef GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_
#define GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/channel/connection_intake.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/net/acceptors.h"
#include "goplugin/internal/serve/plugin_listener.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

// What to serve, and how.
struct ServerPlan {
  // Not owned; must outlive the server. None of the async API.
  std::vector<grpc::Service*> services = {};
  std::shared_ptr<grpc::ServerCredentials> credentials = nullptr;
  std::function<void(grpc::ServerBuilder&)> configure = nullptr;
};

// The plugin's gRPC server. It listens nowhere: connections come by its intake,
// or from a socket that it is given.
class PluginServer {
 public:
  // kTransport when gRPC can't, kResources where the system gives no thread.
  static absl::StatusOr<std::unique_ptr<PluginServer>> Start(
      const ServerPlan& plan);

  // As Shutdown without a grace, but waits for the methods.
  ~PluginServer();
  PluginServer(const PluginServer&) = delete;
  PluginServer& operator=(const PluginServer&) = delete;

  const std::shared_ptr<ConnectionIntake>& intake() const { return intake_; }

  // Serves who has connected to `listener`, and who will. Once.
  void AcceptAt(std::unique_ptr<PluginListener> listener, Acceptors& acceptors);
  // How many have come there so far, as far as they are known not to be this
  // process itself. Thread-safe.
  std::uint64_t visits() const { return *visits_; }

  // Takes no more calls, lets those under way run for `grace`, then cancels
  // them. Removes the socket. Waits for nobody; more calls do nothing.
  void BeginShutdown(absl::Duration grace);
  // The same, and waits. False when a method still runs half a second after its
  // cancellation: then neither this object nor the services may be destroyed.
  bool Shutdown(absl::Duration grace);
  // After Shutdown: waits until the last method has returned.
  void WaitForMethods();

 private:
  PluginServer() = default;

  absl::Status Build(const ServerPlan& plan);

  // nullptr unless it was given one.
  std::unique_ptr<PluginListener> listener_;
  std::shared_ptr<ConnectionIntake> intake_;
  const std::shared_ptr<std::atomic<std::uint64_t>> visits_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  std::unique_ptr<Accepting> accepting_;
  std::unique_ptr<grpc::Server> server_;
  absl::Duration grace_;
  absl::Notification stop_;
  SteadyNotification stopped_;
  // Waits for methods that may never return. There from the start: at the end
  // there may be no thread to be had.
  SdkThread stopper_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_PLUGIN_SERVER_H_
