#ifndef GOPLUGIN_SERVER_REFLECTION_H_
#define GOPLUGIN_SERVER_REFLECTION_H_

#include "goplugin/language.h"

namespace goplugin {

// Lets tools such as grpcurl ask the plugin for its services, as HashiCorp's
// own plugins do. Call it before Serve.
//
// In a target of its own because gRPC's reflection is for the whole process:
// linked in, it registers the grpc.reflection messages, and may turn reflection
// on for every gRPC server of the process.
//
// Thread safety: not while a server is being built.
void EnableServerReflection();

}  // namespace goplugin

#endif  // GOPLUGIN_SERVER_REFLECTION_H_
