#ifndef GOPLUGIN_INTERNAL_SERVE_CONTROLLER_SERVICE_H_
#define GOPLUGIN_INTERNAL_SERVE_CONTROLLER_SERVICE_H_

#include <grpcpp/impl/service_type.h>

#include <functional>

namespace goplugin::internal {

// Serves /plugin.GRPCController/Shutdown: the host's polite wish that the
// plugin ends. A sync method, so that callbacks of the plugin which block can't
// keep it waiting.
//
// Lifetime: must outlive the server it is registered with.
class ControllerService : public grpc::Service {
 public:
  // `on_shutdown` runs on a thread of gRPC, for each call; the answer goes out
  // when it returns.
  explicit ControllerService(std::function<void()> on_shutdown);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_CONTROLLER_SERVICE_H_
