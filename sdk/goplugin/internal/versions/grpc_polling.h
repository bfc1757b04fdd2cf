#ifndef GOPLUGIN_INTERNAL_VERSIONS_GRPC_POLLING_H_
#define GOPLUGIN_INTERNAL_VERSIONS_GRPC_POLLING_H_

#include <grpcpp/version_info.h>

namespace goplugin::internal {

// Whether a thread that waits in a completion queue polls for the whole
// process. It does with gRPC's older engine (measured on 1.51): the answers to
// the user's calls then reach that thread first, which wakes theirs; and where
// nobody waits, nobody hears. Today's engine has threads of its own (measured
// on 1.83; the default for Linux since 1.70). rpc/call_queue alone asks.
inline constexpr bool kWaitingThreadPollsForAll =
    GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 70;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_VERSIONS_GRPC_POLLING_H_
