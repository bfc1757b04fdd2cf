#ifndef GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
#define GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/loop/deadline.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/message_bounds.h"
#include "goplugin/internal/versions/grpc_proto_utils.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

// Cancels a call under way. Thread-safe; without effect when the call has
// ended, or there is none.
class CallHandle {
 public:
  CallHandle() = default;
  // `end_is_near` is told so; may be null.
  explicit CallHandle(std::shared_ptr<grpc::ClientContext> context,
                      std::function<void()> end_is_near = nullptr)
      : context_(std::move(context)), end_is_near_(std::move(end_is_near)) {}
  void Cancel() {
    EndIsNear();
    if (context_ != nullptr) context_->TryCancel();
  }
  // The other side is gone: what has come from it waits for nobody any more,
  // and the call's end is wanted soon.
  void EndIsNear() {
    if (end_is_near_ != nullptr) end_is_near_();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
  std::function<void()> end_is_near_;
};

// Where a call of the SDK's own is begun and polled: on the rpc thread, or, for
// a client with interceptors, which are the user's code and run wherever that
// is done, on a lane of the pool or the caller's own thread.
class CallPlace {
 public:
  // On the rpc thread. The queue outlives the call.
  static CallPlace Queue(CallQueue& queue) {
    return CallPlace(&queue, nullptr);
  }
  // On the lane, which is busy until the call ends.
  static CallPlace OnLane(std::shared_ptr<Lane> lane) {
    return CallPlace(nullptr, std::move(lane));
  }
  // At once and on this thread: the call has ended when it was begun.
  static CallPlace Here() { return CallPlace(nullptr, nullptr); }

  // Not nullptr for the first kind.
  CallQueue* queue() const { return queue_; }
  // Runs what blocks for the other kinds.
  void Run(absl::AnyInvocable<void()> blocking) const {
    if (lane_ == nullptr) return blocking();
    lane_->Post(std::move(blocking));
  }

 private:
  CallPlace(CallQueue* queue, std::shared_ptr<Lane> lane)
      : queue_(queue), lane_(std::move(lane)) {}

  CallQueue* queue_;
  std::shared_ptr<Lane> lane_;
};

// Calls `method`, a literal path such as "/grpc.health.v1.Health/Check", which
// keeps the services' own names out of the protobuf registry. `done` runs once
// where the call is polled, after at most `timeout`, which may be any duration:
// see DeadlineAfter. An answer that is compressed, or has more than
// kMaxControlMessage bytes, is RESOURCE_EXHAUSTED.
template <typename Request, typename Response>
CallHandle StartUnaryCall(
    const CallPlace& place, const std::shared_ptr<grpc::Channel>& channel,
    const char* method, const Request& request, absl::Duration timeout,
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done) {
  using Stub = grpc::TemplatedGenericStub<Request, grpc::ByteBuffer>;

  struct Call final : CallQueue::Tag {
    explicit Call(const std::shared_ptr<grpc::Channel>& channel)
        : stub(channel) {}
    void Begin(const char* method, const Request& request,
               grpc::CompletionQueue* queue) {
      const MutexLock lock(beginning);
      reader = stub.PrepareUnaryCall(context.get(), method, request, queue);
      reader->StartCall();
      reader->ReadInitialMetadata(tag());
    }
    void OnComplete(bool /*ok*/) override {
      if (!has_headers) return OnHeaders();
      Response response;
      if (status.ok()) status = Unpack(bytes, kMaxControlMessage, response);
      End(response);
    }
    void OnHeaders() {
      {
        // The reader is in use until then.
        const MutexLock begun(beginning);
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
      hurry.reset();
      ended = true;
      self.reset();
    }

    absl::optional<CallQueue::Hurry> hurry;
    std::shared_ptr<grpc::ClientContext> context =
        std::make_shared<grpc::ClientContext>();
    Stub stub;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    absl::Mutex beginning;
    bool has_headers = false;
    bool ended = false;
    grpc::ByteBuffer bytes;
    grpc::Status status;
    absl::AnyInvocable<void(const grpc::Status&, const Response&)> done;
    std::shared_ptr<Call> self;  // on the rpc thread, until its end
  };

  auto call = std::make_shared<Call>(channel);
  call->context->set_deadline(DeadlineAfter(timeout));
  call->done = std::move(done);
  CallHandle handle(call->context);
  if (place.queue() != nullptr) {
    call->self = call;
    call->hurry.emplace(*place.queue());
    call->Begin(method, request, place.queue()->completion_queue());
    return handle;
  }
  place.Run([call = std::move(call), method, request] {
    grpc::CompletionQueue queue;
    call->Begin(method, request, &queue);
    void* tag = nullptr;
    bool ok = false;
    while (!call->ended && queue.Next(&tag, &ok)) {
      static_cast<CallQueue::Tag*>(tag)->OnComplete(ok);
    }
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
  });
  return handle;
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_UNARY_CALL_H_
