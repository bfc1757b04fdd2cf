#include "tests/support/serve/plugin_calls.h"

#include <grpcpp/impl/client_unary_call.h>

#include <chrono>

#include "goplugin/wire/controller.pb.h"

namespace goplugin {
namespace {

using grpc::internal::RpcMethod;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(1));
}

template <typename Request, typename Response>
grpc::Status Unary(grpc::Channel& channel, const char* path,
                   const Request& request, Response& response) {
  grpc::ClientContext context;
  SetDeadline(context);
  return grpc::internal::BlockingUnaryCall<Request, Response,
                                           google::protobuf::MessageLite,
                                           google::protobuf::MessageLite>(
      &channel, RpcMethod(path, RpcMethod::NORMAL_RPC), &context, request,
      &response);
}

template <typename Response, typename Request>
std::unique_ptr<StreamCall<Response>> Stream(grpc::Channel& channel,
                                             const char* path,
                                             const Request& request) {
  auto call = std::make_unique<StreamCall<Response>>();
  SetDeadline(call->context);
  call->reader.reset(grpc::internal::ClientReaderFactory<Response>::Create(
      &channel, RpcMethod(path, RpcMethod::SERVER_STREAMING), &call->context,
      request));
  return call;
}

}  // namespace

grpc::Status CallShutdown(grpc::Channel& channel) {
  wire::Empty response;
  return Unary(channel, "/plugin.GRPCController/Shutdown", wire::Empty(),
               response);
}

grpc::Status CallCheck(grpc::Channel& channel, const std::string& service,
                       wire::HealthCheckResponse& response) {
  wire::HealthCheckRequest request;
  request.set_service(service);
  return Unary(channel, "/grpc.health.v1.Health/Check", request, response);
}

std::unique_ptr<StreamCall<wire::HealthCheckResponse>> CallWatch(
    grpc::Channel& channel, const std::string& service) {
  wire::HealthCheckRequest request;
  request.set_service(service);
  return Stream<wire::HealthCheckResponse>(
      channel, "/grpc.health.v1.Health/Watch", request);
}

std::unique_ptr<StreamCall<wire::StdioData>> CallStreamStdio(
    grpc::Channel& channel) {
  return Stream<wire::StdioData>(channel, "/plugin.GRPCStdio/StreamStdio",
                                 wire::Empty());
}

std::string ReadStdout(StreamCall<wire::StdioData>& stdio, std::size_t bytes) {
  std::string text;
  wire::StdioData data;
  while (text.size() < bytes && stdio.reader->Read(&data)) {
    if (data.channel() == wire::StdioData::STDOUT) text += data.data();
  }
  return text;
}

}  // namespace goplugin
