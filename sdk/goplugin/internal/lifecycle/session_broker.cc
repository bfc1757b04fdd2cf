#include "goplugin/internal/lifecycle/session_broker.h"

#include <memory>
#include <utility>

#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/stream_end.h"

namespace goplugin::internal {

void SessionBroker::Open(CallQueue& queue,
                         const std::shared_ptr<grpc::Channel>& channel,
                         EventLoop& loop,
                         std::function<void(const grpc::Status&)> on_cut) {
  if (ended_) return;
  *on_cut_ = std::move(on_cut);
  BrokerStreamCallbacks callbacks;
  callbacks.on_info = [core = core_](const wire::ConnInfo& info) {
    core->Receive(info);
  };
  callbacks.on_end = [core = core_, on_cut = on_cut_, &loop,
                      open = Stopwatch()](const grpc::Status& status) {
    core->Close(status);
    if (!WasCut(status, open.Elapsed())) return;
    loop.Post([on_cut, status] {
      if (*on_cut != nullptr) (*on_cut)(status);
    });
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

bool SessionBroker::EndUnheard(const absl::Status& reason) {
  if (ended_ || stream_ == nullptr || core_->heard()) return false;
  End(reason);
  return true;
}

void SessionBroker::End(const absl::Status& reason) {
  if (ended_) return;
  ended_ = true;
  *on_cut_ = nullptr;
  core_->End(reason);
  acceptors_->End();
  if (stream_ != nullptr) stream_->Cancel();
  stream_.reset();
}

}  // namespace goplugin::internal
