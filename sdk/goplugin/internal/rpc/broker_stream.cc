#include "goplugin/internal/rpc/broker_stream.h"

#include <memory>
#include <utility>

namespace goplugin::internal {

std::shared_ptr<BrokerStream> BrokerStream::Create(
    const std::shared_ptr<grpc::Channel>& channel,
    BrokerStreamCallbacks callbacks) {
  return std::shared_ptr<BrokerStream>(
      new BrokerStream(channel, std::move(callbacks)));
}

void BrokerStream::Start(CallQueue& queue) {
  self_ = shared_from_this();
  absl::MutexLock lock(&mutex_);
  queue_ = &queue;
  starting_ = true;
  SetHurry();
  call_ = stub_.PrepareCall(&context_, "/plugin.GRPCBroker/StartStream",
                            queue.completion_queue());
  call_->StartCall(started_.tag());
}

bool BrokerStream::Send(const wire::ConnInfo& info) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return false;
  outgoing_.push_back(info);
  WriteNext();
  return true;
}

void BrokerStream::Cancel() {
  absl::MutexLock lock(&mutex_);
  // Once it is over, the channel can be let go.
  cancelled_ = true;
  if (self_ != nullptr) SetHurry();
  context_.TryCancel();
}

void BrokerStream::SetHurry() {
  if (!starting_ && !writing_ && !cancelled_) {
    hurry_.reset();
  } else if (!hurry_.has_value()) {
    hurry_.emplace(*queue_);
  }
}

void BrokerStream::OnStarted(bool ok) {
  absl::MutexLock lock(&mutex_);
  starting_ = false;
  SetHurry();
  if (!ok) {
    ended_ = true;
    return FinishIfIdle();
  }
  ready_ = true;
  call_->Read(&incoming_, read_.tag());
  WriteNext();
}

void BrokerStream::OnRead(bool ok) {
  if (ok) {
    callbacks_.on_info(incoming_);
    call_->Read(&incoming_, read_.tag());
    return;
  }
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  FinishIfIdle();
}

void BrokerStream::OnWritten(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  SetHurry();
  // A failed write means the end, which the read will see.
  ready_ = ok;
  if (ended_) return FinishIfIdle();
  WriteNext();
}

void BrokerStream::WriteNext() {
  if (!ready_ || writing_ || ended_ || outgoing_.empty()) return;
  writing_ = true;
  SetHurry();
  call_->Write(outgoing_.front(), written_.tag());
  // gRPC has its own copy.
  outgoing_.pop_front();
}

void BrokerStream::FinishIfIdle() {
  if (!writing_) call_->Finish(&status_, finished_.tag());
}

void BrokerStream::OnFinished(bool /*ok*/) {
  callbacks_.on_end(status_);
  std::shared_ptr<BrokerStream> last;
  absl::MutexLock lock(&mutex_);
  last = std::move(self_);
  cancelled_ = false;
  SetHurry();
}

}  // namespace goplugin::internal
