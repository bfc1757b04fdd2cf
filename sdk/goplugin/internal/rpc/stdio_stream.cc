#include "goplugin/internal/rpc/stdio_stream.h"

#include <google/protobuf/empty.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/async_stream.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {
namespace {

using google::protobuf::Empty;

// What is handed on without waiting for a pause.
constexpr size_t kEnough = size_t{64} * 1024;

// Owns itself from the start of the call to its end. One operation is under way
// at a time, so one tag is enough. On the wire a stream that sends one message
// and closes is the same as a server-streaming call.
class StdioStream final : public CallQueue::Tag {
 public:
  StdioStream(const std::shared_ptr<grpc::Channel>& channel,
              StdioCallbacks callbacks)
      : stub_(channel), callbacks_(std::move(callbacks)) {}

  CallHandle Start(CallQueue& queue) {
    CallHandle handle(context_);
    queue_ = &queue;
    opening_.emplace(queue);
    call_ = stub_.PrepareCall(context_.get(), "/plugin.GRPCStdio/StreamStdio",
                              queue.completion_queue());
    call_->StartCall(tag());
    return handle;
  }

  void OnComplete(bool ok) override {
    switch (state_) {
      case State::kStarting:
        if (!ok) return Finish();
        state_ = State::kWriting;
        call_->WriteLast(Empty(), grpc::WriteOptions(), tag());
        return;
      case State::kWriting:
        if (!ok) return Finish();
        state_ = State::kReading;
        opening_.reset();
        call_->Read(&data_, tag());
        return;
      case State::kReading:
        if (!ok) return Finish();
        Gather();
        call_->Read(&data_, tag());
        return;
      case State::kFinishing:
        callbacks_.on_end(status_);
        delete this;
        return;
    }
  }

  void OnPause() override {
    if (gathered_.data().empty()) return;
    callbacks_.on_data(std::exchange(gathered_, wire::StdioData()));
  }

 private:
  enum class State { kStarting, kWriting, kReading, kFinishing };

  // Go plugins send at most 1 KiB a message. To wake the sink's thread for each
  // takes longer than to receive it.
  void Gather() {
    if (gathered_.channel() != data_.channel()) OnPause();
    if (gathered_.data().empty()) {
      gathered_.Swap(&data_);
    } else {
      gathered_.mutable_data()->append(data_.data());
    }
    if (gathered_.data().size() >= kEnough) OnPause();
    queue_->TellPause(this);
  }

  void Finish() {
    queue_->ForgetPause(this);
    OnPause();
    state_ = State::kFinishing;
    call_->Finish(&status_, tag());
  }

  std::shared_ptr<grpc::ClientContext> context_ =
      std::make_shared<grpc::ClientContext>();
  grpc::TemplatedGenericStub<Empty, wire::StdioData> stub_;
  StdioCallbacks callbacks_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<Empty, wire::StdioData>> call_;
  State state_ = State::kStarting;
  CallQueue* queue_ = nullptr;                // since Start
  absl::optional<CallQueue::Hurry> opening_;  // until the first Read
  wire::StdioData data_;
  wire::StdioData gathered_;
  grpc::Status status_;
};

}  // namespace

CallHandle StartStdioStream(CallQueue& queue,
                            const std::shared_ptr<grpc::Channel>& channel,
                            StdioCallbacks callbacks) {
  auto* stream = new StdioStream(channel, std::move(callbacks));
  return stream->Start(queue);
}

}  // namespace goplugin::internal
