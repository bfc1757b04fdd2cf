#ifndef GOPLUGIN_INTERNAL_ENDPOINT_STREAM_INPUT_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_STREAM_INPUT_H_

#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/slice_buffer.h>
#include <grpc/slice.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/endpoint/byte_stream.h"
#include "goplugin/internal/endpoint/callback.h"

namespace goplugin::internal {

// The reading half of an endpoint. Reads when there is something: a connection
// that has said nothing yet has no buffer. Thread-safe.
class StreamInput {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;
  using MemoryAllocator = grpc_event_engine::experimental::MemoryAllocator;

  // `stream` is borrowed. Without a valid allocator, memory is gRPC's ordinary
  // one.
  StreamInput(ByteStream& stream, MemoryAllocator allocator)
      : stream_(stream), allocator_(std::move(allocator)) {}

  // As an endpoint's Read: true when it is done, and `on_read` is not called.
  bool Read(IoCallback on_read, SliceBuffer* buffer, std::int64_t hint);
  // There may be something. `over`: for good.
  void OnReadable(bool over);
  // Reads no more. The callback that was waiting, or null.
  IoCallback Close();

 private:
  enum class Outcome { kRead, kNothing, kFailed };

  // Tries until there is something, or leaves `on_read` to the io thread.
  Outcome ReadOrWait(IoCallback& on_read, SliceBuffer* buffer);
  void Wait(IoCallback on_read, SliceBuffer* buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `all`: there is no more, as far as is known. Without the lock, as what
  // follows: where memory is short, gRPC ends connections to have some, this
  // one too.
  Outcome TryRead(SliceBuffer& buffer, bool& all);
  // Adds what comes to `buffer`, at most `size`, which becomes what was asked
  // for. As recv.
  ssize_t ReadSlices(SliceBuffer& buffer, size_t& size);
  // Makes the last slice no larger than what it has.
  void FitLast(grpc_slice_buffer& slices);
  grpc_slice MakeSlice(size_t size);

  ByteStream& stream_;

  // Of whoever reads: one at a time, by gRPC's word.
  MemoryAllocator allocator_;
  std::int64_t hint_ = 0;
  // What the last read has left of a small slice; one or none.
  SliceBuffer rest_;
  // What a read is worth: as much as the last ones have brought.
  size_t size_ = 0;
  absl::Status error_;

  absl::Mutex mutex_;
  // Null when nobody waits.
  IoCallback on_read_ ABSL_GUARDED_BY(mutex_);
  SliceBuffer* buffer_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int reads_at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  // Not known to be empty.
  bool readable_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_STREAM_INPUT_H_
