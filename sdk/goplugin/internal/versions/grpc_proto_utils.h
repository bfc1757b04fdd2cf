#ifndef GOPLUGIN_INTERNAL_VERSIONS_GRPC_PROTO_UTILS_H_
#define GOPLUGIN_INTERNAL_VERSIONS_GRPC_PROTO_UTILS_H_

// How gRPC puts protobuf messages on the wire, which has moved. Generated stubs
// include this themselves; the SDK has none.
#if __has_include(<grpcpp/impl/proto_utils.h>)
#include <grpcpp/impl/proto_utils.h>  // IWYU pragma: export
#else
#include <grpcpp/impl/codegen/proto_utils.h>  // IWYU pragma: export
#endif

#endif  // GOPLUGIN_INTERNAL_VERSIONS_GRPC_PROTO_UTILS_H_
