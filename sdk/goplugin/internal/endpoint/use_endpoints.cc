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

// The first of that name, which counts; null where there is none.
const grpc_arg* Find(const grpc_channel_args& arguments,
                     absl::string_view name) {
  for (size_t i = 0; i < arguments.num_args; ++i) {
    if (name == arguments.args[i].key) return &arguments.args[i];
  }
  return nullptr;
}

bool CallerConnects(const grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  return Find(given, GRPC_ARG_EVENT_ENGINE) != nullptr ||
         Find(given, GRPC_ARG_SOCKET_MUTATOR) != nullptr;
}

void SetEngine(Engine engine, grpc::ChannelArguments& arguments) {
  arguments.SetPointerWithVtable(GRPC_ARG_EVENT_ENGINE, &engine,
                                 engines::grpc_event_engine_arg_vtable());
}

// Takes the caller's engine out: of two, gRPC would use the first. Where there
// is none, gRPC's own.
Engine TakeEngine(grpc::ChannelArguments& arguments) {
  grpc_channel_args given;
  arguments.SetChannelArgs(&given);
  const grpc_arg* const callers = Find(given, GRPC_ARG_EVENT_ENGINE);
  if (callers == nullptr) return engines::GetDefaultEventEngine();
  Engine engine = *static_cast<Engine*>(callers->value.pointer.p);
  grpc::ChannelArguments others;
  for (size_t i = 0; i < given.num_args; ++i) {
    const grpc_arg& argument = given.args[i];
    if (argument.key == absl::string_view(GRPC_ARG_EVENT_ENGINE)) continue;
    if (argument.type == GRPC_ARG_INTEGER) {
      others.SetInt(argument.key, argument.value.integer);
    } else if (argument.type == GRPC_ARG_STRING) {
      others.SetString(argument.key, argument.value.string);
    } else {
      others.SetPointerWithVtable(argument.key, argument.value.pointer.p,
                                  argument.value.pointer.vtable);
    }
  }
  arguments = others;
  return engine;
}

}  // namespace

void UseEndpoints(grpc::ChannelArguments& arguments) {
  if (!UsesOwnEndpoints() || CallerConnects(arguments)) return;
  // Never the process's default engine: that is the host's.
  SetEngine(std::make_shared<EndpointEngine>(engines::GetDefaultEventEngine()),
            arguments);
}

void UseStreams(OpenStream open, grpc::ChannelArguments& arguments) {
  Engine others = TakeEngine(arguments);
  SetEngine(
      std::make_shared<EndpointEngine>(std::move(others), std::move(open)),
      arguments);
}

}  // namespace goplugin::internal

#else

namespace goplugin::internal {

void UseEndpoints(grpc::ChannelArguments& /*arguments*/) {}

// As the other one takes it.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void UseStreams(OpenStream /*open*/, grpc::ChannelArguments& /*arguments*/) {}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
