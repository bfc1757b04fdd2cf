#ifndef GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_OUTPUT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_OUTPUT_H_

#include <grpc/event_engine/slice_buffer.h>

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/callback.h"
#include "goplugin/internal/endpoint/io_threads.h"

namespace goplugin::internal {

// The writing half of an endpoint. Writes at once, on the caller's thread; the
// io thread writes what the socket does not take. Thread-safe.
class SocketOutput {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // Both borrowed; `fd` does not block.
  SocketOutput(int fd, IoPlace& place) : fd_(fd), place_(place) {}

  // As an endpoint's Write: true when it is done, and `on_written` is not
  // called.
  bool Write(IoCallback on_written, SliceBuffer* data);
  // There may be room again.
  void OnWritable();
  // Writes no more. The callback that was waiting, or null.
  IoCallback Close();

 private:
  enum class Outcome { kWritten, kFull, kFailed };

  Outcome TryWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next bytes to be written; false when there are none.
  ssize_t WriteSlices() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advance(size_t written) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int fd_;
  IoPlace& place_;
  absl::Mutex mutex_;
  // Null when nobody waits.
  IoCallback on_written_ ABSL_GUARDED_BY(mutex_);
  SliceBuffer* data_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // How far it is written: a slice, and bytes of it.
  size_t slice_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t offset_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_SOCKET_OUTPUT_H_
