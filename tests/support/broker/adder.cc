#include "tests/support/broker/adder.h"

#include <grpcpp/client_context.h>
#include <grpcpp/impl/client_unary_call.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/serve/service_methods.h"

namespace goplugin::testing {
namespace {

std::int64_t CountFiles(const char* directory) {
  return std::distance(std::filesystem::directory_iterator(directory),
                       std::filesystem::directory_iterator());
}

std::int64_t StatusNumber(const std::string& name) {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    std::int64_t number = 0;
    if (word == name && file >> number) return number;
  }
  return -1;
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
}

absl::StatusOr<std::int64_t> Result(const grpc::Status& status,
                                    const broker::SumResponse& response) {
  if (status.ok()) return response.r();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

broker::SumRequest MakeRequest(std::int64_t a, std::int64_t b) {
  broker::SumRequest request;
  request.set_a(a);
  request.set_b(b);
  return request;
}

}  // namespace

AdderService::AdderService(absl::optional<std::int64_t> number)
    : number_(number) {
  AddMethod(new grpc::internal::RpcServiceMethod(
      "/proto.AddHelper/Sum", grpc::internal::RpcMethod::NORMAL_RPC,
      new grpc::internal::RpcMethodHandler<AdderService, broker::SumRequest,
                                           broker::SumResponse>(
          [](AdderService* service, grpc::ServerContext* context,
             const broker::SumRequest* request, broker::SumResponse* response) {
            return service->Sum(context, request, response);
          },
          this)));
}

grpc::Status AdderService::Sum(grpc::ServerContext* /*context*/,
                               const broker::SumRequest* request,
                               broker::SumResponse* response) {
  if (number_.has_value() && request->a() != *number_) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                        absl::StrCat("the server for ", *number_,
                                     " was asked by ", request->a()));
  }
  response->set_r(request->a() + request->b());
  return grpc::Status::OK;
}

grpc::Status AdderService::Hold(grpc::ServerContext* context,
                                const broker::SumRequest* /*request*/,
                                broker::SumResponse* /*response*/) {
  while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  return grpc::Status::CANCELLED;
}

absl::StatusOr<std::int64_t> Sum(const std::shared_ptr<grpc::Channel>& channel,
                                 std::int64_t a, std::int64_t b) {
  grpc::ClientContext context;
  SetDeadline(context);
  broker::SumResponse response;
  return Result(broker::Adder::NewStub(channel)->Sum(
                    &context, MakeRequest(a, b), &response),
                response);
}

absl::StatusOr<std::int64_t> HelperSum(
    const std::shared_ptr<grpc::Channel>& channel, std::int64_t a,
    std::int64_t b) {
  grpc::ClientContext context;
  SetDeadline(context);
  broker::SumResponse response;
  const grpc::internal::RpcMethod method("/proto.AddHelper/Sum",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  const grpc::Status status =
      grpc::internal::BlockingUnaryCall<broker::SumRequest, broker::SumResponse,
                                        google::protobuf::MessageLite,
                                        google::protobuf::MessageLite>(
          channel.get(), method, &context, MakeRequest(a, b), &response);
  return Result(status, response);
}

broker::FactsResponse OwnFacts() {
  broker::FactsResponse facts;
  facts.set_descriptors(CountFiles("/proc/self/fd"));
  facts.set_threads(StatusNumber("Threads:"));
  facts.set_rss_kb(StatusNumber("VmRSS:"));
  return facts;
}

}  // namespace goplugin::testing
