#ifndef GOPLUGIN_INTERNAL_VERSIONS_GRPC_SERVER_HANDLERS_H_
#define GOPLUGIN_INTERNAL_VERSIONS_GRPC_SERVER_HANDLERS_H_

// The handlers behind generated callback services, which have moved.
#if __has_include(<grpcpp/impl/server_callback_handlers.h>)
#include <grpcpp/impl/server_callback_handlers.h>  // IWYU pragma: export
#else
#include <grpcpp/impl/codegen/server_callback_handlers.h>  // IWYU pragma: export
#endif

#endif  // GOPLUGIN_INTERNAL_VERSIONS_GRPC_SERVER_HANDLERS_H_
