#ifndef GOPLUGIN_INTERNAL_ENDPOINT_LOCAL_END_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_LOCAL_END_H_

#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// This process's end of a connection on its way to a server: a socket that does
// not block, or a stream. One of the two.
struct LocalEnd {
  // NOLINTNEXTLINE(google-explicit-constructor): it is either.
  LocalEnd(UniqueFd socket) : socket(std::move(socket)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  LocalEnd(std::unique_ptr<ByteStream> stream) : stream(std::move(stream)) {}

  UniqueFd socket;
  std::unique_ptr<ByteStream> stream;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_LOCAL_END_H_
