#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/memory_allocator.h>
#include <grpc/event_engine/slice_buffer.h>
#include <grpc/slice.h>
#include <grpc/slice_buffer.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/endpoint/stream_input.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr size_t kSmallest = size_t{8} * 1024;
// What a socket holds by default is less. gRPC's hints can be as large as the
// message to come.
constexpr size_t kLargest = size_t{256} * 1024;
constexpr size_t kSlice = size_t{64} * 1024;
static_assert(kLargest % kSlice == 0);
// What is left of a slice, and worth a read.
constexpr size_t kLeast = 256;
// Then others on the io thread come first.
constexpr int kMostReadsAtOnce = 16;

}  // namespace

bool StreamInput::Read(IoCallback on_read, SliceBuffer* buffer,
                       std::int64_t hint) {
  size_ = std::clamp(size_, kSmallest, kLargest);
  hint_ = hint;
  {
    MutexLock lock(mutex_);
    // Two at once are a mistake of gRPC's.
    if (on_read_ != nullptr) std::abort();
    if (readable_ && !closed_ && reads_at_once_++ == kMostReadsAtOnce) {
      Wait(std::move(on_read), buffer);
      stream_.TellAgain();
      return false;
    }
  }
  switch (ReadOrWait(on_read, buffer)) {
    case Outcome::kRead:
      return true;
    case Outcome::kFailed:
      CallLater(std::move(on_read), error_);
      return false;
    case Outcome::kNothing:
      return false;
  }
  return false;
}

void StreamInput::OnReadable(bool over) {
  IoCallback on_read;
  SliceBuffer* buffer = nullptr;
  {
    MutexLock lock(mutex_);
    readable_ = true;
    over_ = over_ || over;
    if (on_read_ == nullptr) return;
    on_read = std::exchange(on_read_, nullptr);
    buffer = buffer_;
  }
  switch (ReadOrWait(on_read, buffer)) {
    case Outcome::kRead:
      return on_read(absl::OkStatus());
    case Outcome::kFailed:
      return on_read(error_);
    case Outcome::kNothing:
      return;
  }
}

IoCallback StreamInput::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return std::exchange(on_read_, nullptr);
}

void StreamInput::Wait(IoCallback on_read, SliceBuffer* buffer) {
  on_read_ = std::move(on_read);
  buffer_ = buffer;
  reads_at_once_ = 0;
}

StreamInput::Outcome StreamInput::ReadOrWait(IoCallback& on_read,
                                             SliceBuffer* buffer) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (closed_) {
        error_ = absl::CancelledError("endpoint closed");
        return Outcome::kFailed;
      }
      if (!readable_) {
        Wait(std::move(on_read), buffer);
        return Outcome::kNothing;
      }
      // What comes from now on says so again.
      readable_ = false;
    }
    bool all = true;
    const Outcome outcome = TryRead(*buffer, all);
    if (outcome == Outcome::kNothing) continue;
    MutexLock lock(mutex_);
    readable_ = readable_ || over_ || !all;
    return outcome;
  }
}

StreamInput::Outcome StreamInput::TryRead(SliceBuffer& buffer, bool& all) {
  // Of what is to come, which may come byte by byte: it counts when there was
  // much at once.
  const auto hint = static_cast<size_t>(std::max<std::int64_t>(hint_, 0));
  size_t size = size_ > kSmallest ? std::clamp(hint, size_, kLargest) : size_;
  const ssize_t count = ReadSlices(buffer, size);
  if (count > 0) {
    const auto read = static_cast<size_t>(count);
    // Less than was asked for is all there was.
    all = read < size;
    size_ = read == size ? size * 2 : std::max(read, size_ / 2);
    return Outcome::kRead;
  }
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return Outcome::kNothing;
  }
  all = false;
  error_ = count == 0 ? absl::UnavailableError("Socket closed")
                      : absl::UnavailableError(
                            absl::ErrnoToStatus(errno, "recvmsg").message());
  return Outcome::kFailed;
}

// A slice lives, all of it, as long as anything in it. A flood of small
// messages that are read one by one must not take a slice each: they share one;
// and of no slice more is held than twice what came in it.
ssize_t StreamInput::ReadSlices(SliceBuffer& buffer, size_t& size) {
  grpc_slice_buffer& slices = *buffer.c_slice_buffer();
  const bool shares = size <= kSmallest;
  const bool has_rest = shares && rest_.Length() > 0;
  if (has_rest) size = rest_.Length();
  iovec parts[kLargest / kSlice] = {};
  size_t count = 0;
  for (size_t made = 0; made < size; made += kSlice) {
    grpc_slice slice = has_rest
                           ? grpc_slice_ref(rest_.c_slice_buffer()->slices[0])
                           : MakeSlice(std::min(size - made, kSlice));
    parts[count].iov_base = GRPC_SLICE_START_PTR(slice);
    parts[count].iov_len = GRPC_SLICE_LENGTH(slice);
    grpc_slice_buffer_add_indexed(&slices, slice);
    ++count;
  }
  const ssize_t read = stream_.Receive(parts, count);
  const int error_number = errno;
  const auto used = static_cast<size_t>(std::max<ssize_t>(read, 0));
  if (shares) {
    rest_.Clear();
    grpc_slice_buffer_trim_end(&slices, size - used, rest_.c_slice_buffer());
    // A next one of the same size is to fit.
    if (rest_.Length() < std::max(used, kLeast)) rest_.Clear();
  } else {
    grpc_slice_buffer_trim_end(&slices, size - used, nullptr);
    const size_t in_last = used % kSlice;
    const size_t last = std::min(size - (used - in_last), kSlice);
    if (in_last > 0 && in_last < last / 2) FitLast(slices);
  }
  errno = error_number;
  return read;
}

void StreamInput::FitLast(grpc_slice_buffer& slices) {
  const grpc_slice last = slices.slices[slices.count - 1];
  grpc_slice fitting = MakeSlice(GRPC_SLICE_LENGTH(last));
  memcpy(GRPC_SLICE_START_PTR(fitting), GRPC_SLICE_START_PTR(last),
         GRPC_SLICE_LENGTH(last));
  grpc_slice_buffer_pop(&slices);
  grpc_slice_unref(last);
  grpc_slice_buffer_add_indexed(&slices, fitting);
}

grpc_slice StreamInput::MakeSlice(size_t size) {
  return allocator_.IsValid() ? allocator_.MakeSlice(size)
                              : grpc_slice_malloc_large(size);
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
