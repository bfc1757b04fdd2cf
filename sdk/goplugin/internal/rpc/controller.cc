#include "goplugin/internal/rpc/controller.h"

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/controller.pb.h"

namespace goplugin::internal {

CallHandle CallShutdown(const CallPlace& place,
                        const std::shared_ptr<grpc::Channel>& channel,
                        absl::Duration timeout,
                        absl::AnyInvocable<void(const grpc::Status&)> done) {
  return StartUnaryCall<wire::Empty, wire::Empty>(
      place, channel, "/plugin.GRPCController/Shutdown", wire::Empty(), timeout,
      [done = std::move(done)](const grpc::Status& status,
                               const wire::Empty& /*answer*/) mutable {
        done(status);
      });
}

}  // namespace goplugin::internal
