#ifndef GOPLUGIN_INTERNAL_CHANNEL_CALL_WATCH_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CALL_WATCH_H_

#include <grpcpp/support/client_interceptor.h>

#include <memory>

#include "goplugin/internal/channel/call_target.h"

namespace goplugin::internal {

// What counts a call of `target`, in `under_way` until its status is there (or,
// where nobody asks for that, its context goes), and its answers in `heard`. An
// end that the host's own side may have made up (UNAVAILABLE, CANCELLED,
// DEADLINE_EXCEEDED) says nothing of the plugin: it is not counted as heard.
// `kept` lives until the context goes; may be null.
std::unique_ptr<grpc::experimental::Interceptor> WatchCall(
    std::shared_ptr<CallTarget> target, std::shared_ptr<const void> kept);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CALL_WATCH_H_
