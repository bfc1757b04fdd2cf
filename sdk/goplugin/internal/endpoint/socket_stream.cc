#include "goplugin/internal/endpoint/socket_stream.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>

namespace goplugin::internal {
namespace {

msghdr MessageOf(const iovec* parts, size_t count) {
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  return message;
}

}  // namespace

ssize_t SocketStream::Receive(const iovec* parts, size_t count) {
  msghdr message = MessageOf(parts, count);
  ssize_t read = 0;
  do {
    read = recvmsg(socket_.get(), &message, 0);
  } while (read < 0 && errno == EINTR);
  return read;
}

ssize_t SocketStream::Send(const iovec* parts, size_t count) {
  const msghdr message = MessageOf(parts, count);
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

void SocketStream::Close() {
  place_->Unwatch();
  // A forked child has the socket too: the other side is to see the end.
  shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace goplugin::internal
