#ifndef GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_CALLS_H_
#define GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_CALLS_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <string>

#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/wire/health.pb.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin {

// The calls that a host makes on go-plugin's own services, written apart from
// the SDK's. Each ends after a minute at the latest, so that no test hangs.

grpc::Status CallShutdown(grpc::Channel& channel);

grpc::Status CallCheck(grpc::Channel& channel, const std::string& service,
                       wire::HealthCheckResponse& response);

// A call whose answers are read one by one.
template <typename Response>
struct StreamCall {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Response>> reader;
};

std::unique_ptr<StreamCall<wire::HealthCheckResponse>> CallWatch(
    grpc::Channel& channel, const std::string& service);

std::unique_ptr<StreamCall<wire::StdioData>> CallStreamStdio(
    grpc::Channel& channel);

// What comes over `stdio` until `bytes` are there or the stream ends.
std::string ReadStdout(StreamCall<wire::StdioData>& stdio, std::size_t bytes);

}  // namespace goplugin

#endif  // GOPLUGIN_TESTS_SUPPORT_SERVE_PLUGIN_CALLS_H_
