#ifndef GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_STREAM_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_STREAM_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A connected stream socket that does not block: a unix or a tcp one.
class SocketStream final : public ByteStream {
 public:
  SocketStream(UniqueFd socket, std::unique_ptr<IoPlace> place)
      : socket_(std::move(socket)), place_(std::move(place)) {}

  ssize_t Receive(const iovec* parts, size_t count) override;
  ssize_t Send(const iovec* parts, size_t count) override;
  bool Watch(std::weak_ptr<IoHandler> handler) override {
    return place_->Watch(socket_.get(), /*writable=*/false, std::move(handler));
  }
  void TellWritable(bool writable) override { place_->TellWritable(writable); }
  void TellAgain() override { place_->TellAgain(); }
  void Close() override;

 private:
  const UniqueFd socket_;
  const std::unique_ptr<IoPlace> place_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_STREAM_H_
