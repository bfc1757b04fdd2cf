#ifndef GOPLUGIN_INTERNAL_RPC_PROTO_SERIALIZATION_H_
#define GOPLUGIN_INTERNAL_RPC_PROTO_SERIALIZATION_H_

// How gRPC puts protobuf messages on the wire. Generated stubs include this
// themselves; we have none. Newer releases of gRPC moved it.
#if __has_include(<grpcpp/impl/proto_utils.h>)
#include <grpcpp/impl/proto_utils.h>
#else
#include <grpcpp/impl/codegen/proto_utils.h>
#endif

#endif  // GOPLUGIN_INTERNAL_RPC_PROTO_SERIALIZATION_H_
