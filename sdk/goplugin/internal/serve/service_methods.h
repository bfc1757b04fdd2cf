#ifndef GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_
#define GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_

// What gRPC's generated code includes for its services: our own are written the
// same way, because generated code would register the protos of go-plugin and
// gRPC a second time in processes that have them already.

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/method_handler.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include "goplugin/internal/versions/grpc_proto_utils.h"
#include "goplugin/internal/versions/grpc_server_handlers.h"

#endif  // GOPLUGIN_INTERNAL_SERVE_SERVICE_METHODS_H_
