#ifndef TESTS_UNIT_MUX_STREAM_SOCKET_H_
#define TESTS_UNIT_MUX_STREAM_SOCKET_H_

#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/local_end.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A socket for what tests say and hear on a stream. It has no half closing: the
// stream ends with the socket.
UniqueFd SocketOver(std::unique_ptr<ByteStream> stream);

// The same of either end.
inline UniqueFd SocketOver(LocalEnd end) {
  return end.stream == nullptr ? std::move(end.socket)
                               : SocketOver(std::move(end.stream));
}

// A visitor of the door's, as gRPC is one. It is at its end when it was turned
// away.
UniqueFd EnterBy(Door& door);

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_MUX_STREAM_SOCKET_H_
