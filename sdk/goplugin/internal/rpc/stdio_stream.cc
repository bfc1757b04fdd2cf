#include "goplugin/internal/rpc/stdio_stream.h"

#include <google/protobuf/empty.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/async_stream.h>

#include <memory>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {
namespace {

using google::protobuf::Empty;

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
    opening_.emplace(queue);
    call_ = stub_.PrepareCall(context_.get(), "/plugin.GRPCStdio/StreamStdio",
                              queue.completion_queue());
    call_->StartCall(tag());
    return handle;
  }

  // A plugin that prints mostly prints several lines.
  bool flows() const override { return state_ == State::kReading; }

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
        callbacks_.on_data(data_);
        call_->Read(&data_, tag());
        return;
      case State::kFinishing:
        callbacks_.on_end(status_);
        delete this;
        return;
    }
  }

 private:
  enum class State { kStarting, kWriting, kReading, kFinishing };

  void Finish() {
    state_ = State::kFinishing;
    call_->Finish(&status_, tag());
  }

  std::shared_ptr<grpc::ClientContext> context_ =
      std::make_shared<grpc::ClientContext>();
  grpc::TemplatedGenericStub<Empty, wire::StdioData> stub_;
  StdioCallbacks callbacks_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<Empty, wire::StdioData>> call_;
  State state_ = State::kStarting;
  absl::optional<CallQueue::Hurry> opening_;  // until the first Read
  wire::StdioData data_;
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
