#ifndef GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_
#define GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {

// A piece of output, of at most 256 KiB: of one message, or of several that
// came at once.
struct StdioPiece {
  wire::StdioData data;
  // To be let go of when the piece is out of the way; while too much is not,
  // the stream waits (StdioWindow).
  std::shared_ptr<void> held;
  // Nobody waits for the sink any more: it may be dropped.
  bool droppable = false;
};

struct StdioCallbacks {
  // On the rpc thread.
  absl::AnyInvocable<void(StdioPiece)> on_data;
  // Grows while the sink moves, whatever it is given. On the rpc thread.
  std::function<std::uint64_t()> progress;
  // Something of it will not be delivered, as text for the log. Seldom, on the
  // rpc thread.
  absl::AnyInvocable<void(std::string)> on_note;
  // The end of the stream, once, on the rpc thread. UNIMPLEMENTED and
  // UNAVAILABLE are what plugins without the service, or at their end, answer.
  absl::AnyInvocable<void(const grpc::Status&)> on_end;
};

// Opens GRPCStdio and reads it to its end: a plugin blocks when nobody does.
// Once per plugin; what was sent is not sent again. Messages of more than
// kMaxStdioMessage are left out, and a compressed stream is not read: both are
// noted.
CallHandle StartStdioStream(CallQueue& queue,
                            const std::shared_ptr<grpc::Channel>& channel,
                            StdioCallbacks callbacks);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_STDIO_STREAM_H_
