#include "goplugin/internal/serve/stdio_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
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

}  // namespace

// One call of StreamStdio. The members are guarded by the service's mutex; gRPC
// may call back while it is held by another thread, never from within
// StartWrite, Finish or TryCancel.
class StdioService::Stream : public grpc::ServerWriteReactor<wire::StdioData> {
 public:
  Stream(StdioService* service, grpc::CallbackServerContext* context)
      : service_(service), context_(context) {}

  void Write(std::string data) {
    message_.set_channel(wire::StdioData::STDOUT);
    message_.set_data(std::move(data));
    writing_ = true;
    StartWrite(&message_);
  }

  // Ends the call, after the write under way if there is one. The first call
  // counts.
  void End(grpc::Status status) {
    if (ended_) return;
    ended_ = true;
    end_status_ = std::move(status);
    if (!writing_) Finish(end_status_);
  }

  // Ends the call for another reader's sake: a write that this one's host does
  // not take must not hold up the other.
  void Yield() {
    // Without a write under way End may be the end of this object.
    const bool writing = writing_;
    End(grpc::Status(grpc::StatusCode::ABORTED,
                     "another StreamStdio call took over"));
    if (writing) context_->TryCancel();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(service_->mutex_);
    writing_ = false;
    if (!ok) service_->buffer_.PutBack(message_.data());
    if (ended_) {
      Finish(end_status_);
    } else if (!ok) {
      Abandon();
    }
    service_->writing_ = false;
    service_->Advance();
  }

  void OnCancel() override {
    MutexLock lock(service_->mutex_);
    Abandon();
  }

  void OnDone() override { delete this; }

 private:
  void Abandon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(service_->mutex_) {
    if (service_->reader_ == this) service_->reader_ = nullptr;
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the host is gone"));
  }

  StdioService* const service_;
  grpc::CallbackServerContext* const context_;
  wire::StdioData message_;
  bool writing_ = false;
  bool ended_ = false;
  grpc::Status end_status_;
};

StdioService::StdioService(std::size_t buffer_bytes) : buffer_(buffer_bytes) {
  AddMethod(new grpc::internal::RpcServiceMethod(
      kStreamStdio, grpc::internal::RpcMethod::SERVER_STREAMING, nullptr));
  MarkMethodCallback(
      0, new grpc::internal::CallbackServerStreamingHandler<wire::Empty,
                                                            wire::StdioData>(
             [this](grpc::CallbackServerContext* context, const wire::Empty*) {
               return Open(context);
             }));
}

void StdioService::Append(absl::string_view data) {
  MutexLock lock(mutex_);
  buffer_.Append(data);
  Advance();
}

bool StdioService::Flush(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mutex_);
  if (first_reader_awaited_ && !buffer_.empty()) {
    mutex_.AwaitWithTimeout(
        absl::Condition(
            +[](bool* awaited) { return !*awaited; }, &first_reader_awaited_),
        std::min(timeout, kFirstReaderTimeout));
    first_reader_awaited_ = false;
  }
  return mutex_.AwaitWithDeadline(absl::Condition(this, &StdioService::Idle),
                                  deadline);
}

void StdioService::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  Advance();
}

grpc::ServerWriteReactor<wire::StdioData>* StdioService::Open(
    grpc::CallbackServerContext* context) {
  auto* stream = new Stream(this, context);
  MutexLock lock(mutex_);
  first_reader_awaited_ = false;
  if (reader_ != nullptr) reader_->Yield();
  reader_ = stream;
  Advance();
  return stream;
}

void StdioService::Advance() {
  if (reader_ == nullptr || writing_) return;
  if (!buffer_.empty()) {
    writing_ = true;
    reader_->Write(buffer_.Take(kPieceBytes));
  } else if (closed_) {
    reader_->End(grpc::Status::OK);
    reader_ = nullptr;
  }
}

bool StdioService::Idle() const {
  return reader_ == nullptr || (buffer_.empty() && !writing_);
}

}  // namespace goplugin::internal
