#include "goplugin/internal/endpoint/use_endpoints.h"

#include <grpcpp/support/channel_arguments.h>

#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/grpc.h>
#include <grpc/impl/channel_arg_names.h>

#include <algorithm>
#include <memory>

#include "absl/strings/string_view.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"

namespace goplugin::internal {
namespace {

namespace engines = grpc_event_engine::experimental;

bool CallerConnects(const grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  return std::any_of(
      given.args, given.args + given.num_args, [](const grpc_arg& argument) {
        const absl::string_view key = argument.key;
        return key == GRPC_ARG_EVENT_ENGINE || key == GRPC_ARG_SOCKET_MUTATOR;
      });
}

}  // namespace

void UseEndpoints(grpc::ChannelArguments& arguments) {
  if (!UsesOwnEndpoints() || CallerConnects(arguments)) return;
  // Never the process's default engine: that is the host's.
  std::shared_ptr<engines::EventEngine> engine =
      std::make_shared<EndpointEngine>(engines::GetDefaultEventEngine());
  arguments.SetPointerWithVtable(GRPC_ARG_EVENT_ENGINE, &engine,
                                 engines::grpc_event_engine_arg_vtable());
}

}  // namespace goplugin::internal

#else

namespace goplugin::internal {

void UseEndpoints(grpc::ChannelArguments& /*arguments*/) {}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
