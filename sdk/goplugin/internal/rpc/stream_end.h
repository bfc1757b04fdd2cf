#ifndef GOPLUGIN_INTERNAL_RPC_STREAM_END_H_
#define GOPLUGIN_INTERNAL_RPC_STREAM_END_H_

#include <grpcpp/support/status.h>

#include "absl/time/time.h"

namespace goplugin::internal {

// Whether a stream that is meant to stay was cut, by the end of its connection
// or by a proxy: it ended with `status` after it had been `open` for so long.
// What ends sooner was refused, by a plugin that does not have it; OK is a
// plugin's own end, and RESOURCE_EXHAUSTED this side's.
bool WasCut(const grpc::Status& status, absl::Duration open);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_STREAM_END_H_
