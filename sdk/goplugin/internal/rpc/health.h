#ifndef GOPLUGIN_INTERNAL_RPC_HEALTH_H_
#define GOPLUGIN_INTERNAL_RPC_HEALTH_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/health.pb.h"

namespace goplugin::internal {

// Asks the health service for "plugin", the name every go-plugin server
// registers. Does not wait for a connection that fails: UNAVAILABLE then has
// the reason. `done` runs where the call is polled.
CallHandle CheckHealth(
    const CallPlace& place, const std::shared_ptr<grpc::Channel>& channel,
    absl::Duration timeout,
    absl::AnyInvocable<void(const grpc::Status&,
                            wire::HealthCheckResponse::ServingStatus)>
        done);

// What a Ping says of that answer: OK when it serves; kTimeout; kConnect for
// everything else, with the answer as evidence.
absl::Status HealthError(const grpc::Status& status,
                         wire::HealthCheckResponse::ServingStatus serving);

// gRPC's code and text as one fact: `UNAVAILABLE "Socket closed"`.
std::string DescribeGrpcStatus(const grpc::Status& status);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_HEALTH_H_
