#include "goplugin/internal/serve/stdio_service.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/serve/service_methods.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/wire/controller.pb.h"

namespace goplugin::internal {
namespace {

// Its request is google.protobuf.Empty, which has the same bytes as any empty
// message.
constexpr char kStreamStdio[] = "/plugin.GRPCStdio/StreamStdio";
// Go's own plugins send pieces of 1 KiB. Larger ones cost less each and are
// far below the 4 MiB that every peer takes.
constexpr std::size_t kPieceBytes = 32 * 1024;
// A host makes the call before all others, and yet gRPC may hand it over after
// a later one, Shutdown included: on a busy machine by some milliseconds.
constexpr absl::Duration kFirstReaderTimeout = absl::Milliseconds(200);
// How often an idle stream looks whether its call is still there: nothing tells
// a sync method. Seldom, as every plugin has one: what it keeps is its thread.
constexpr absl::Duration kLook = absl::Seconds(5);

using Handler =
    grpc::internal::ServerStreamingHandler<StdioService, wire::Empty,
                                           wire::StdioData>;

grpc::Status HostIsGone() {
  return grpc::Status(grpc::StatusCode::CANCELLED, "the host is gone");
}

}  // namespace

StdioService::StdioService(std::size_t buffer_bytes) : buffer_(buffer_bytes) {
  AddMethod(new grpc::internal::RpcServiceMethod(
      kStreamStdio, grpc::internal::RpcMethod::SERVER_STREAMING,
      new Handler(
          [](StdioService* service, grpc::ServerContext* context,
             const wire::Empty*,
             Writer* writer) { return service->Stream(*context, *writer); },
          this)));
}

void StdioService::Append(absl::string_view data) {
  MutexLock lock(mutex_);
  if (closed_) return;
  buffer_.Append(data);
  changed_.NotifyAll();
}

bool StdioService::Flush(absl::Duration timeout) {
  const Stopwatch stopwatch;
  MutexLock lock(mutex_);
  if (first_reader_awaited_ && !buffer_.empty()) {
    changed_.WaitFor(mutex_, std::min(timeout, kFirstReaderTimeout), [this] {
      mutex_.AssertReaderHeld();
      return !first_reader_awaited_;
    });
    first_reader_awaited_ = false;
  }
  // What is printed from now on is not waited for: it may never end.
  const std::uint64_t wanted = buffer_.appended();
  overdue_ = !changed_.WaitFor(mutex_, stopwatch.Remaining(timeout), [&] {
    mutex_.AssertHeld();
    return reader_ == nullptr || written_ >= wanted;
  });
  return !overdue_;
}

void StdioService::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  if (overdue_ && writing_ != nullptr) writing_->TryCancel();
  changed_.NotifyAll();
}

grpc::Status StdioService::Stream(grpc::ServerContext& context,
                                  Writer& writer) {
  Begin(context);
  wire::StdioData message;
  message.set_channel(wire::StdioData::STDOUT);
  for (;;) {
    const absl::optional<grpc::Status> end =
        Next(context, *message.mutable_data());
    if (end.has_value()) return *end;
    const bool written = writer.Write(message);
    OnWritten(context, message.data(), written);
    if (!written) return HostIsGone();
  }
}

void StdioService::Begin(grpc::ServerContext& context) {
  MutexLock lock(mutex_);
  first_reader_awaited_ = false;
  reader_ = &context;
  // A write that its host does not take must not hold up this one.
  if (writing_ != nullptr) writing_->TryCancel();
  changed_.NotifyAll();
}

absl::optional<grpc::Status> StdioService::Next(grpc::ServerContext& context,
                                                std::string& piece) {
  const auto has_news = [&] {
    mutex_.AssertReaderHeld();
    return reader_ != &context ||
           (writing_ == nullptr && (closed_ || !buffer_.empty()));
  };
  MutexLock lock(mutex_);
  while (!changed_.WaitFor(mutex_, kLook, has_news)) {
    if (context.IsCancelled()) return Leave(HostIsGone());
  }
  if (reader_ != &context) {
    return grpc::Status(grpc::StatusCode::ABORTED,
                        "another StreamStdio call took over");
  }
  if (closed_ && overdue_) {
    return Leave(grpc::Status(grpc::StatusCode::CANCELLED,
                              "the host did not read in time"));
  }
  if (buffer_.empty()) return Leave(grpc::Status::OK);
  piece = buffer_.Take(kPieceBytes);
  writing_ = &context;
  return absl::nullopt;
}

grpc::Status StdioService::Leave(grpc::Status status) {
  reader_ = nullptr;
  changed_.NotifyAll();
  return status;
}

void StdioService::OnWritten(const grpc::ServerContext& context,
                             absl::string_view piece, bool written) {
  MutexLock lock(mutex_);
  writing_ = nullptr;
  if (written) {
    written_ = buffer_.taken();
  } else {
    buffer_.PutBack(piece);
    if (reader_ == &context) reader_ = nullptr;
  }
  changed_.NotifyAll();
}

}  // namespace goplugin::internal
