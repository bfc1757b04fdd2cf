#ifndef GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_
#define GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {

struct StdioCallbacks {
  // A piece of output, of one message or of several that came at once, on the
  // rpc thread.
  absl::AnyInvocable<void(wire::StdioData)> on_data;
  // The end of the stream, once, on the rpc thread. UNIMPLEMENTED and
  // UNAVAILABLE are what plugins without the service, or at their end, answer.
  absl::AnyInvocable<void(const grpc::Status&)> on_end;
};

// Opens GRPCStdio and reads it to its end: a plugin blocks when nobody does.
// Once per plugin; what was sent is not sent again.
CallHandle StartStdioStream(CallQueue& queue,
                            const std::shared_ptr<grpc::Channel>& channel,
                            StdioCallbacks callbacks);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_
