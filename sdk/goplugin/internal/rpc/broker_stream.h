#ifndef GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_
#define GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/status.h>

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/rpc/proto_serialization.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {

struct BrokerStreamCallbacks {
  // A message of the plugin's, on the rpc thread.
  absl::AnyInvocable<void(const wire::ConnInfo&)> on_info;
  // The end of the stream, once, on the rpc thread. UNIMPLEMENTED: the plugin
  // has no broker.
  absl::AnyInvocable<void(const grpc::Status&)> on_end;
};

// The host's end of GRPCBroker, one call for the life of the plugin. A Go
// plugin says nothing on it, not even headers, before its first message.
//
// Keeps itself alive from Start until on_end was called. Thread-safe.
class BrokerStream : public std::enable_shared_from_this<BrokerStream> {
 public:
  static std::shared_ptr<BrokerStream> Create(
      const std::shared_ptr<grpc::Channel>& channel,
      BrokerStreamCallbacks callbacks);

  // Opens it. Once, and once per plugin: a Go plugin never answers a second
  // one.
  void Start(CallQueue& queue);

  // Queues a message, also before Start; false when the stream has ended. Never
  // blocks.
  bool Send(const wire::ConnInfo& info) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // gRPC's tags: a read and a write may be under way at the same time.
  struct Operation final : CallQueue::Tag {
    Operation(BrokerStream* stream, void (BrokerStream::*step)(bool))
        : stream(stream), step(step) {}
    void OnComplete(bool ok) override { (stream->*step)(ok); }
    BrokerStream* const stream;
    void (BrokerStream::*const step)(bool);
  };

  BrokerStream(const std::shared_ptr<grpc::Channel>& channel,
               BrokerStreamCallbacks callbacks)
      : stub_(channel), callbacks_(std::move(callbacks)) {}

  void OnStarted(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the call when nothing but that is left to do.
  void FinishIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What is under way is wanted soon; a message of the plugin's is not, unless
  // somebody waits for it, who then is in a hurry himself.
  void SetHurry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<BrokerStream> self_;
  CallQueue* queue_ = nullptr;  // since Start
  grpc::ClientContext context_;
  grpc::TemplatedGenericStub<wire::ConnInfo, wire::ConnInfo> stub_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<wire::ConnInfo, wire::ConnInfo>>
      call_;
  BrokerStreamCallbacks callbacks_;
  Operation started_{this, &BrokerStream::OnStarted};
  Operation read_{this, &BrokerStream::OnRead};
  Operation written_{this, &BrokerStream::OnWritten};
  Operation finished_{this, &BrokerStream::OnFinished};
  wire::ConnInfo incoming_;
  grpc::Status status_;

  absl::Mutex mutex_;
  std::deque<wire::ConnInfo> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;  // may write
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more to read
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<CallQueue::Hurry> hurry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_
