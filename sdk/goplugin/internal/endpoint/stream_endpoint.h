#ifndef GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ENDPOINT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/memory_allocator.h>

#include <memory>

#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// gRPC's view of a byte stream. Writes are tried at once, in the caller's
// thread; what is read comes on an io thread. `peer` and `local` are what it
// calls the two ends. `allocator`, where it is valid, is asked for the memory
// of what is read. Null, and the stream closed, where the system can't watch
// it.
//
// What is pending at the endpoint's end is called back with CANCELLED, on a
// thread of gRPC's. Does nothing in a forked child, whose copy of a socket
// stays open.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::Endpoint>
MakeStreamEndpoint(
    std::unique_ptr<ByteStream> stream,
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& peer,
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& local,
    grpc_event_engine::experimental::MemoryAllocator allocator = {});

// The same of a connected stream socket that does not block: a unix or a tcp
// one.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::Endpoint>
MakeSocketEndpoint(
    UniqueFd socket, std::unique_ptr<IoPlace> place,
    grpc_event_engine::experimental::MemoryAllocator allocator = {});

// What an end without a name is called: as that of a pair of unix sockets.
grpc_event_engine::experimental::EventEngine::ResolvedAddress Unnamed();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_STREAM_ENDPOINT_H_
