#ifndef GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
#define GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/proto_serialization.h"

namespace goplugin::internal {

// Cancels a call under way. Thread-safe; without effect when the call has
// ended, or there is none.
class CallHandle {
 public:
  CallHandle() = default;
  explicit CallHandle(std::shared_ptr<grpc::ClientContext> context)
      : context_(std::move(context)) {}
  void Cancel() {
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
};

// Calls `method`, a literal path such as "/grpc.health.v1.Health/Check", which
// keeps the services' own names out of the protobuf registry. `done` runs once
// on the rpc thread, after at most `timeout`.
template <typename Request, typename Response>
CallHandle StartUnaryCall(
    CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel,
    const char* method, const Request& request, absl::Duration timeout,
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done) {
  using Stub = grpc::TemplatedGenericStub<Request, Response>;

  // Owns itself from the start of the call to its end.
  struct Call final : CallQueue::Tag {
    Call(CallQueue& queue, const std::shared_ptr<grpc::Channel>& channel)
        : hurry(queue), stub(channel) {}
    void OnComplete(bool /*ok*/) override {
      done(status, response);
      delete this;
    }

    const CallQueue::Hurry hurry;
    std::shared_ptr<grpc::ClientContext> context =
        std::make_shared<grpc::ClientContext>();
    Stub stub;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
    Response response;
    grpc::Status status;
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done;
  };

  auto* call = new Call(queue, channel);
  const std::shared_ptr<grpc::ClientContext> context = call->context;
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMicroseconds(timeout));
  call->done = std::move(done);
  call->reader = call->stub.PrepareUnaryCall(context.get(), method, request,
                                             queue.completion_queue());
  call->reader->StartCall();
  call->reader->Finish(&call->response, &call->status, call->tag());
  return CallHandle(context);
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
