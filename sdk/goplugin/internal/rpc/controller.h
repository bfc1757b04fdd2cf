#ifndef GOPLUGIN_INTERNAL_RPC_CONTROLLER_H_
#define GOPLUGIN_INTERNAL_RPC_CONTROLLER_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/unary_call.h"

namespace goplugin::internal {

// Asks the plugin to exit. A stock plugin exits before it answers, so the
// status says little: success is the exit. UNIMPLEMENTED means that it can't be
// asked. `done` runs where the call is polled.
CallHandle CallShutdown(const CallPlace& place,
                        const std::shared_ptr<grpc::Channel>& channel,
                        absl::Duration timeout,
                        absl::AnyInvocable<void(const grpc::Status&)> done);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_CONTROLLER_H_
