#include "goplugin/internal/lifecycle/session_broker.h"

#include <memory>
#include <utility>

namespace goplugin::internal {

void SessionBroker::Open(CallQueue& queue,
                         const std::shared_ptr<grpc::Channel>& channel) {
  if (ended_) return;
  BrokerStreamCallbacks callbacks;
  callbacks.on_info = [core = core_](const wire::ConnInfo& info) {
    core->Receive(info);
  };
  callbacks.on_end = [core = core_](const grpc::Status& status) {
    core->Close(status);
  };
  stream_ = BrokerStream::Create(channel, std::move(callbacks));
  // Before it can end.
  core_->Open([stream = std::weak_ptr<BrokerStream>(stream_)](
                  const wire::ConnInfo& info) {
    const std::shared_ptr<BrokerStream> open = stream.lock();
    return open == nullptr ? absl::UnavailableError("the stream is gone")
                           : open->Send(info);
  });
  stream_->Start(queue);
}

void SessionBroker::End(const absl::Status& reason) {
  if (ended_) return;
  ended_ = true;
  core_->End(reason);
  acceptors_->End();
  if (stream_ != nullptr) stream_->Cancel();
  stream_.reset();
}

}  // namespace goplugin::internal
