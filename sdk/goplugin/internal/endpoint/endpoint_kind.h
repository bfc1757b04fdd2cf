#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_

#include <memory>

#include "goplugin/internal/endpoint/io_threads.h"

namespace goplugin::internal {

// Whose connections gRPC uses, where it takes ours at all. Thread-safe.
bool UsesOwnEndpoints();

// For a connection whose streams gRPC is to take as they are. Null where it
// takes sockets only, or there is no io thread.
std::unique_ptr<IoPlace> PlaceForStreams();

// For tests, which run over both kinds: connections made from now on are
// gRPC's.
void UseGrpcsEndpointsForTest();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_
