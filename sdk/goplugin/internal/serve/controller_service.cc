#include "goplugin/internal/serve/controller_service.h"

#include <utility>

#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/wire/controller.pb.h"

namespace goplugin::internal {
namespace {

constexpr char kShutdown[] = "/plugin.GRPCController/Shutdown";

using ShutdownHandler =
    grpc::internal::RpcMethodHandler<ControllerService, wire::Empty,
                                     wire::Empty>;

}  // namespace

ControllerService::ControllerService(std::function<void()> on_shutdown) {
  AddMethod(new grpc::internal::RpcServiceMethod(
      kShutdown, grpc::internal::RpcMethod::NORMAL_RPC,
      new ShutdownHandler(
          [on_shutdown = std::move(on_shutdown)](
              ControllerService*, grpc::ServerContext*, const wire::Empty*,
              wire::Empty*) {
            on_shutdown();
            return grpc::Status::OK;
          },
          this)));
}

}  // namespace goplugin::internal
