#include "goplugin/internal/versions/grpc_endpoints.h"

#if GOPLUGIN_GRPC_TAKES_ENDPOINTS

#include <grpc/event_engine/slice_buffer.h>
#include <grpc/slice.h>
#include <grpc/slice_buffer.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "goplugin/internal/endpoint/stream_output.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMostSlices = 64;

}  // namespace

bool StreamOutput::Write(IoCallback on_written, SliceBuffer* data) {
  MutexLock lock(mutex_);
  // Two at once are a mistake of gRPC's.
  if (on_written_ != nullptr) std::abort();
  if (closed_) {
    CallLater(std::move(on_written), absl::CancelledError("endpoint closed"));
    return false;
  }
  data_ = data;
  slice_ = 0;
  offset_ = 0;
  switch (TryWrite()) {
    case Outcome::kWritten:
      return true;
    case Outcome::kFailed:
      CallLater(std::move(on_written), error_);
      return false;
    case Outcome::kFull:
      break;
  }
  on_written_ = std::move(on_written);
  stream_.TellWritable(true);
  return false;
}

void StreamOutput::OnWritable() {
  IoCallback on_written;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    if (on_written_ == nullptr) return;
    const Outcome outcome = TryWrite();
    if (outcome == Outcome::kFull) return;
    if (outcome == Outcome::kFailed) status = error_;
    on_written = std::exchange(on_written_, nullptr);
    stream_.TellWritable(false);
  }
  on_written(std::move(status));
}

IoCallback StreamOutput::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return std::exchange(on_written_, nullptr);
}

StreamOutput::Outcome StreamOutput::TryWrite() {
  const size_t slices = data_->Count();
  while (slice_ < slices) {
    const ssize_t written = WriteSlices();
    if (written >= 0) {
      Advance(static_cast<size_t>(written));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kFull;
    error_ =
        absl::UnavailableError(absl::ErrnoToStatus(errno, "sendmsg").message());
    return Outcome::kFailed;
  }
  return Outcome::kWritten;
}

ssize_t StreamOutput::WriteSlices() {
  const grpc_slice_buffer& slices = *data_->c_slice_buffer();
  iovec parts[kMostSlices];
  size_t count = 0;
  size_t offset = offset_;
  for (size_t i = slice_; i < slices.count && count < kMostSlices; ++i) {
    const grpc_slice& slice = slices.slices[i];
    parts[count].iov_base =
        const_cast<unsigned char*>(GRPC_SLICE_START_PTR(slice)) + offset;
    parts[count].iov_len = GRPC_SLICE_LENGTH(slice) - offset;
    offset = 0;
    ++count;
  }
  return stream_.Send(parts, count);
}

void StreamOutput::Advance(size_t written) {
  const grpc_slice_buffer& slices = *data_->c_slice_buffer();
  offset_ += written;
  // Past empty slices, too.
  while (slice_ < slices.count &&
         offset_ >= GRPC_SLICE_LENGTH(slices.slices[slice_])) {
    offset_ -= GRPC_SLICE_LENGTH(slices.slices[slice_]);
    ++slice_;
  }
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_GRPC_TAKES_ENDPOINTS
