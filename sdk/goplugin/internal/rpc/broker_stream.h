#ifndef GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_
#define GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/versions/grpc_proto_utils.h"
#include "goplugin/wire/broker.pb.h"

namespace goplugin::internal {

struct BrokerStreamCallbacks {
  // A message of the plugin's, on the rpc thread.
  absl::AnyInvocable<void(const wire::ConnInfo&)> on_info;
  // The end of the stream, once, on the rpc thread. UNIMPLEMENTED: the plugin
  // has no broker. RESOURCE_EXHAUSTED: it sent a message of more than
  // kMaxControlMessage, or compressed ones.
  absl::AnyInvocable<void(const grpc::Status&)> on_end;
};

// The host's end of GRPCBroker, one call for the life of the plugin. A Go
// plugin says nothing on it, not even headers, before its first message.
//
// What waits for a plugin that does not read has a bound, and a plugin that
// asks for answers without reading them is not read: its messages wait on its
// side.
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

  // Messages that wait to be written: with kMaxMessages of them none is taken
  // any more, with kMaxAnswers answers to knocks no answer, and with
  // kManyAnswers nothing is read. Each is as long as its sender made it:
  // BrokerCore's have at most 1 KiB.
  static constexpr size_t kMaxMessages = 2048;
  static constexpr size_t kMaxAnswers = 1536;
  static constexpr size_t kManyAnswers = 256;

  // Queues a message, also before Start. kResourceExhausted when too many wait;
  // kUnavailable when the stream has ended. Never blocks.
  absl::Status Send(const wire::ConnInfo& info) ABSL_LOCKS_EXCLUDED(mutex_);
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
  void OnHeaders(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  // Reads on, unless the plugin has to take its answers first.
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the call for what the plugin sent.
  void Refuse(const grpc::Status& why);
  // Ends the call when nothing but that is left to do.
  void FinishIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What is under way is wanted soon; a message of the plugin's is not, unless
  // somebody waits for it, who then is in a hurry himself.
  void SetHurry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<BrokerStream> self_;
  CallQueue* queue_ = nullptr;  // since Start
  grpc::ClientContext context_;
  grpc::TemplatedGenericStub<wire::ConnInfo, grpc::ByteBuffer> stub_;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<wire::ConnInfo, grpc::ByteBuffer>>
      call_;
  BrokerStreamCallbacks callbacks_;
  Operation started_{this, &BrokerStream::OnStarted};
  Operation headers_{this, &BrokerStream::OnHeaders};
  Operation read_{this, &BrokerStream::OnRead};
  Operation written_{this, &BrokerStream::OnWritten};
  Operation finished_{this, &BrokerStream::OnFinished};
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  grpc::Status refusal_;  // why this side has ended it

  absl::Mutex mutex_;
  std::deque<wire::ConnInfo> outgoing_ ABSL_GUARDED_BY(mutex_);
  size_t answers_ ABSL_GUARDED_BY(mutex_) = 0;  // of these
  // Nothing is read until there are fewer of them.
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;  // may write
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more to read
  bool starting_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<CallQueue::Hurry> hurry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_RPC_BROKER_STREAM_H_
