#ifndef GOPLUGIN_INTERNAL_ENDPOINT_BYTE_STREAM_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_BYTE_STREAM_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/endpoint/io_threads.h"

namespace goplugin::internal {

// This side's end of a connection: a socket that does not block, or what is
// used like one. Thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // As recvmsg and sendmsg: how many bytes; of reading, 0 at the end; or -1 and
  // errno. EAGAIN is that there is nothing, or no room, and the handler is told
  // when that has changed; of room after TellWritable only.
  virtual ssize_t Receive(const iovec* parts, size_t count) = 0;
  virtual ssize_t Send(const iovec* parts, size_t count) = 0;

  // Begins to tell `handler` on an io thread, for as long as there is one, as
  // IoPlace does. Once. False where the system has no room for another watch.
  virtual bool Watch(std::weak_ptr<IoHandler> handler) = 0;
  // Whether somebody waits for room.
  virtual void TellWritable(bool writable) = 0;
  // Tells what holds anew: others on the thread come first.
  virtual void TellAgain() = 0;

  // Both directions end. Nothing is told after; a call under way may go on.
  virtual void Close() = 0;
};

// Gets a stream that was asked for, or why there is none. Once, on any thread;
// must not block.
using StreamCallback =
    absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<ByteStream>>)>;
// Asks for one. Thread-safe.
using OpenStream = std::function<void(StreamCallback)>;

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_BYTE_STREAM_H_
