#ifndef GOPLUGIN_INTERNAL_SERVE_FREE_THREADS_H_
#define GOPLUGIN_INTERNAL_SERVE_FREE_THREADS_H_

#include "absl/status/status.h"

namespace goplugin::internal {

// Whether this process can have as many threads as gRPC and Serve begin with:
// gRPC ends the process, or waits for ever, where it can't have its own. Where
// a limit may be near it starts them, and lets them go, which takes a
// millisecond. kResources when it can't.
absl::Status CheckFreeThreads();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_FREE_THREADS_H_
