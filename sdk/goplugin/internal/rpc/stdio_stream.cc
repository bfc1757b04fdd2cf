#include "goplugin/internal/rpc/stdio_stream.h"

#include <google/protobuf/empty.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/seldom.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/message_bounds.h"
#include "goplugin/internal/rpc/stdio_window.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/wire/stdio.pb.h"

namespace goplugin::internal {
namespace {

using google::protobuf::Empty;

// What is handed on without waiting for a pause.
constexpr size_t kEnough = size_t{64} * 1024;
// What is handed on at once of a message that has more.
constexpr size_t kPiece = size_t{256} * 1024;

// A hurry from when a stream's end is near until it is there: the queue must
// not end before. Thread-safe.
class Ending {
 public:
  // Before the queue's end, or after the stream's.
  void Begin(CallQueue& queue) {
    MutexLock lock(mutex_);
    if (!over_ && !hurry_.has_value()) hurry_.emplace(queue);
  }
  void Finish() {
    MutexLock lock(mutex_);
    over_ = true;
    hurry_.reset();
  }

 private:
  absl::Mutex mutex_;
  absl::optional<CallQueue::Hurry> hurry_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

// Owns itself from the start of the call to its end. One operation is under way
// at a time, so one tag is enough. On the wire a stream that sends one message
// and closes is the same as a server-streaming call.
class StdioStream final : public CallQueue::Tag {
 public:
  StdioStream(const std::shared_ptr<grpc::Channel>& channel,
              StdioCallbacks callbacks)
      : stub_(channel),
        callbacks_(std::move(callbacks)),
        window_(std::make_shared<StdioWindow>(callbacks_.progress)) {}

  CallHandle Start(CallQueue& queue) {
    CallHandle handle(context_, [window = window_, ending = ending_, &queue] {
      window->Cancel();
      ending->Begin(queue);
    });
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
        return call_->WriteLast(Empty(), grpc::WriteOptions(), tag());
      case State::kWriting:
        if (!ok) return Finish();
        state_ = State::kOpening;
        opening_.reset();
        return call_->ReadInitialMetadata(tag());
      case State::kOpening:
        return ok ? OnOpened() : Finish();
      case State::kReading:
        return ok ? OnMessage() : Finish();
      case State::kWaiting:
        window_->OnWaited(/*timed_out=*/ok);
        return HandOn();
      case State::kFinishing:
        callbacks_.on_end(status_);
        ending_->Finish();
        delete this;
        return;
    }
  }

  void OnPause() override {
    if (gathered_.data().empty()) return;
    Give(std::exchange(gathered_, wire::StdioData()));
  }

 private:
  enum class State {
    kStarting,
    kWriting,
    kOpening,  // until the plugin has said something
    kReading,
    kWaiting,  // for the sink
    kFinishing
  };

  void OnOpened() {
    const grpc::Status readable = CheckNotCompressed(*context_);
    if (!readable.ok()) {
      callbacks_.on_note(
          absl::StrCat("the plugin's output stream is not read: ",
                       readable.error_message()));
      context_->TryCancel();
      return Finish();
    }
    // The first message is not far.
    queue_->TellPause(this);
    Read();
  }

  void Read() {
    state_ = State::kReading;
    call_->Read(&bytes_, tag());
  }

  void OnMessage() {
    wire::StdioData data;
    const grpc::Status status = Unpack(bytes_, kMaxStdioMessage, data);
    if (!status.ok()) {
      if (left_out_.Tell()) {
        callbacks_.on_note(absl::StrCat(
            left_out_.count(), " messages of the plugin's output stream were ",
            "left out so far, the last because ", status.error_message()));
      }
      return Read();
    }
    if (data.data().size() < kEnough) {
      Gather(data);
    } else {
      OnPause();
      large_ = std::move(data);
      handed_on_ = 0;
    }
    HandOn();
  }

  // Go plugins send at most 1 KiB a message. To wake the sink's thread for each
  // takes longer than to receive it.
  void Gather(wire::StdioData& data) {
    if (gathered_.channel() != data.channel()) OnPause();
    if (gathered_.data().empty()) {
      gathered_.Swap(&data);
    } else {
      gathered_.mutable_data()->append(data.data());
    }
    if (gathered_.data().size() >= kEnough) OnPause();
    queue_->TellPause(this);
  }

  // What there is of a large message, as far as the sink keeps up, and then
  // reads on.
  void HandOn() {
    while (true) {
      if (window_->Wait(*queue_, *this)) {
        state_ = State::kWaiting;
        return queue_->TellPause(this);
      }
      const size_t left = large_.data().size() - handed_on_;
      if (left == 0) break;
      wire::StdioData piece;
      piece.set_channel(large_.channel());
      piece.set_data(large_.data().substr(handed_on_, kPiece));
      handed_on_ += piece.data().size();
      Give(std::move(piece));
    }
    if (handed_on_ > 0) large_ = wire::StdioData();
    handed_on_ = 0;
    Read();
  }

  void Give(wire::StdioData data) {
    StdioPiece piece;
    piece.droppable = window_->Overflows();
    piece.held = window_->Add(data.data().size());
    piece.data = std::move(data);
    callbacks_.on_data(std::move(piece));
  }

  void Finish() {
    queue_->ForgetPause(this);
    OnPause();
    opening_.reset();
    state_ = State::kFinishing;
    call_->Finish(&status_, tag());
  }

  std::shared_ptr<grpc::ClientContext> context_ =
      std::make_shared<grpc::ClientContext>();
  grpc::TemplatedGenericStub<Empty, grpc::ByteBuffer> stub_;
  StdioCallbacks callbacks_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<Empty, grpc::ByteBuffer>> call_;
  State state_ = State::kStarting;
  CallQueue* queue_ = nullptr;                // since Start
  absl::optional<CallQueue::Hurry> opening_;  // until it was asked for
  const std::shared_ptr<Ending> ending_ = std::make_shared<Ending>();
  const std::shared_ptr<StdioWindow> window_;
  grpc::ByteBuffer bytes_;
  wire::StdioData gathered_;
  // A message that is handed on in pieces, and how much of it was.
  wire::StdioData large_;
  size_t handed_on_ = 0;
  Seldom left_out_;
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
