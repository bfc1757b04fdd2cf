#include "goplugin/server_reflection.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

namespace goplugin {

void EnableServerReflection() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
}

}  // namespace goplugin
