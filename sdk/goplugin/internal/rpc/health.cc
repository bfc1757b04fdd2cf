#include "goplugin/internal/rpc/health.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/health.pb.h"

namespace goplugin::internal {
namespace {

using ServingStatus = wire::HealthCheckResponse::ServingStatus;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";

absl::Status PingError(Reason reason, std::string evidence, std::string hint) {
  ErrorDetails details;
  details.reason = reason;
  details.what = "the plugin's health check failed";
  details.evidence = {std::move(evidence)};
  details.hint = std::move(hint);
  return MakeError(details);
}

}  // namespace

CallHandle CheckHealth(
    const CallPlace& place, const std::shared_ptr<grpc::Channel>& channel,
    absl::Duration timeout,
    absl::AnyInvocable<void(const grpc::Status&, ServingStatus)> done) {
  wire::HealthCheckRequest request;
  request.set_service("plugin");
  return StartUnaryCall<wire::HealthCheckRequest, wire::HealthCheckResponse>(
      place, channel, kCheck, request, timeout,
      [done = std::move(done)](
          const grpc::Status& status,
          const wire::HealthCheckResponse& response) mutable {
        done(status, response.status());
      });
}

absl::Status HealthError(const grpc::Status& status, ServingStatus serving) {
  if (status.ok() && serving == wire::HealthCheckResponse::SERVING) {
    return absl::OkStatus();
  }
  if (status.ok()) {
    return PingError(
        Reason::kConnect,
        absl::StrCat("the plugin answered ",
                     wire::HealthCheckResponse::ServingStatus_Name(serving)),
        "the plugin runs but does not want calls now; ask again later");
  }
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return PingError(Reason::kTimeout, DescribeGrpcStatus(status),
                       "the plugin is stopped, overloaded or stuck; give Ping "
                       "more time or end it with Kill");
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::NOT_FOUND:
      return PingError(Reason::kConnect, DescribeGrpcStatus(status),
                       "the plugin is reachable but has no health service for "
                       "\"plugin\"; use one of its own calls instead");
    default:
      return PingError(Reason::kConnect, DescribeGrpcStatus(status),
                       "see exit_status() and Explain() for what became of the "
                       "plugin");
  }
}

std::string DescribeGrpcStatus(const grpc::Status& status) {
  return absl::StrCat("gRPC said ",
                      absl::StatusCodeToString(
                          static_cast<absl::StatusCode>(status.error_code())),
                      " ", Quote(status.error_message(), 1024));
}

}  // namespace goplugin::internal
