#ifndef GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
#define GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/message_bounds.h"
#include "goplugin/internal/rpc/proto_serialization.h"

namespace goplugin::internal {

// Cancels a call under way. Thread-safe; without effect when the call has
// ended, or there is none.
class CallHandle {
 public:
  CallHandle() = default;
  // `stop_waiting` ends what the call waits for beside gRPC; null: nothing.
  explicit CallHandle(std::shared_ptr<grpc::ClientContext> context,
                      std::function<void()> stop_waiting = nullptr)
      : context_(std::move(context)), stop_waiting_(std::move(stop_waiting)) {}
  void Cancel() {
    if (context_ != nullptr) context_->TryCancel();
    StopWaiting();
  }
  // The other side is gone: what has come from it waits for nobody any more.
  void StopWaiting() {
    if (stop_waiting_ != nullptr) stop_waiting_();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
  std::function<void()> stop_waiting_;
};

// Calls `method`, a literal path such as "/grpc.health.v1.Health/Check", which
// keeps the services' own names out of the protobuf registry. `done` runs once
// on the rpc thread, after at most `timeout`. An answer that is compressed, or
// has more than kMaxControlMessage bytes, is RESOURCE_EXHAUSTED.
template <typename Request, typename Response>
CallHandle StartUnaryCall(
    CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel,
    const char* method, const Request& request, absl::Duration timeout,
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done) {
  using Stub = grpc::TemplatedGenericStub<Request, grpc::ByteBuffer>;

  struct Call final : CallQueue::Tag {
    Call(CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel)
        : hurry(queue), stub(channel) {}
    void OnComplete(bool /*ok*/) override {
      if (!has_headers) return OnHeaders();
      Response response;
      if (status.ok()) status = Unpack(bytes, kMaxControlMessage, response);
      End(response);
    }
    void OnHeaders() {
      {
        // The reader is in use until then.
        const absl::MutexLock begun(&beginning);
      }
      has_headers = true;
      const grpc::Status readable = CheckNotCompressed(*context);
      if (readable.ok()) return reader->Finish(&bytes, &status, tag());
      // gRPC would unpack the answer together with its status.
      context->TryCancel();
      status = readable;
      End(Response());
    }
    void End(const Response& response) {
      done(status, response);
      done = nullptr;
      self.reset();
    }

    const CallQueue::Hurry hurry;
    std::shared_ptr<grpc::ClientContext> context =
        std::make_shared<grpc::ClientContext>();
    Stub stub;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    absl::Mutex beginning;
    bool has_headers = false;
    grpc::ByteBuffer bytes;
    grpc::Status status;
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done;
    std::shared_ptr<Call> self;  // until its end
  };

  const auto call = std::make_shared<Call>(queue, channel);
  call->self = call;
  call->context->set_deadline(std::chrono::system_clock::now() +
                              absl::ToChronoMicroseconds(timeout));
  call->done = std::move(done);
  const absl::MutexLock beginning(&call->beginning);
  call->reader = call->stub.PrepareUnaryCall(call->context.get(), method,
                                             request, queue.completion_queue());
  call->reader->StartCall();
  call->reader->ReadInitialMetadata(call->tag());
  return CallHandle(call->context);
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
