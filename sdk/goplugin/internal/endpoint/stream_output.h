#ifndef GOPLUGIN_INTERNAL_ENDPOINT_STREAM_OUTPUT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_STREAM_OUTPUT_H_

#include <grpc/event_engine/slice_buffer.h>
#include <sys/types.h>

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/callback.h"

namespace goplugin::internal {

// The writing half of an endpoint. Writes at once, on the caller's thread; the
// io thread writes what the stream does not take. Thread-safe.
class StreamOutput {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `stream` is borrowed.
  explicit StreamOutput(ByteStream& stream) : stream_(stream) {}

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

  ByteStream& stream_;
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

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_STREAM_OUTPUT_H_
