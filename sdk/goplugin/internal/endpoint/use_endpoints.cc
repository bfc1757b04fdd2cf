#include "goplugin/internal/endpoint/use_endpoints.h"

#include <grpcpp/support/channel_arguments.h>

#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/event_engine.h>
#include <grpc/grpc.h>
#include <grpc/impl/channel_arg_names.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "goplugin/internal/endpoint/endpoint_engine.h"
#include "goplugin/internal/endpoint/endpoint_kind.h"

namespace goplugin::internal {
namespace {

namespace engines = grpc_event_engine::experimental;

using Engine = std::shared_ptr<engines::EventEngine>;

// The last of that name, which counts; null where there is none.
const grpc_arg* Find(const grpc_channel_args& arguments,
                     absl::string_view name) {
  for (size_t i = arguments.num_args; i > 0; --i) {
    if (name == arguments.args[i - 1].key) return &arguments.args[i - 1];
  }
  return nullptr;
}

bool CallerConnects(const grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  return Find(given, GRPC_ARG_EVENT_ENGINE) != nullptr ||
         Find(given, GRPC_ARG_SOCKET_MUTATOR) != nullptr;
}

// For all but connections. Never made the process's default: that is the
// host's.
Engine OtherEngine(const grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  const grpc_arg* const callers = Find(given, GRPC_ARG_EVENT_ENGINE);
  return callers == nullptr ? engines::GetDefaultEventEngine()
                            : *static_cast<Engine*>(callers->value.pointer.p);
}

void SetEngine(Engine engine, grpc::ChannelArguments& arguments) {
  arguments.SetPointerWithVtable(GRPC_ARG_EVENT_ENGINE, &engine,
                                 engines::grpc_event_engine_arg_vtable());
}

}  // namespace

void UseEndpoints(grpc::ChannelArguments& arguments) {
  if (!UsesOwnEndpoints() || CallerConnects(arguments)) return;
  SetEngine(std::make_shared<EndpointEngine>(OtherEngine(arguments)),
            arguments);
}

void UseStreams(OpenStream open, grpc::ChannelArguments& arguments) {
  SetEngine(
      std::make_shared<EndpointEngine>(OtherEngine(arguments), std::move(open)),
      arguments);
}

}  // namespace goplugin::internal

#else

namespace goplugin::internal {

void UseEndpoints(grpc::ChannelArguments& /*arguments*/) {}

void UseStreams(OpenStream /*open*/, grpc::ChannelArguments& /*arguments*/) {}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
