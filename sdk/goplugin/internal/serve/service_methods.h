#ifndef GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_
#define GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_

// What gRPC's generated code includes for its services: our own are written the
// same way, because generated code would register the protos of go-plugin and
// gRPC a second time in processes that have them already. gRPC has moved two of
// the headers after 1.51.

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/method_handler.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#if __has_include(<grpcpp/impl/proto_utils.h>)
#include <grpcpp/impl/proto_utils.h>
#else
#include <grpcpp/impl/codegen/proto_utils.h>
#endif

#if __has_include(<grpcpp/impl/server_callback_handlers.h>)
#include <grpcpp/impl/server_callback_handlers.h>
#else
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#endif

#endif  // GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_
