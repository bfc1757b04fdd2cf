#ifndef GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_ENDPOINT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <memory>

#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// gRPC's view of a connected stream socket that does not block: a unix or a tcp
// one. Writes are tried at once, in the caller's thread; what is read comes on
// an io thread. `allocator`, where it is valid, is asked for the memory of what
// is read. Null, and the socket closed, where the system can't watch it.
//
// What is pending at the endpoint's end is called back with CANCELLED, on a
// thread of gRPC's. Does nothing in a forked child, whose copy of the socket
// stays open.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::Endpoint>
MakeSocketEndpoint(
    UniqueFd socket, std::unique_ptr<IoPlace> place,
    grpc_event_engine::experimental::MemoryAllocator allocator = {});

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_ENDPOINT_H_
