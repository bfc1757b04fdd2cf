#include "goplugin/internal/rpc/broker_stream.h"

#include <memory>
#include <utility>

#include "goplugin/internal/rpc/message_bounds.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

bool IsAnswer(const wire::ConnInfo& info) { return info.knock().ack(); }

}  // namespace

std::shared_ptr<BrokerStream> BrokerStream::Create(
    const std::shared_ptr<grpc::Channel>& channel,
    BrokerStreamCallbacks callbacks) {
  return std::shared_ptr<BrokerStream>(
      new BrokerStream(channel, std::move(callbacks)));
}

void BrokerStream::Start(CallQueue& queue) {
  self_ = shared_from_this();
  MutexLock lock(mutex_);
  queue_ = &queue;
  starting_ = true;
  SetHurry();
  call_ = stub_.PrepareCall(&context_, "/plugin.GRPCBroker/StartStream",
                            queue.completion_queue());
  call_->StartCall(started_.tag());
}

absl::Status BrokerStream::Send(const wire::ConnInfo& info) {
  MutexLock lock(mutex_);
  if (ended_) return absl::UnavailableError("the stream has ended");
  if (outgoing_.size() >= kMaxMessages ||
      (IsAnswer(info) && answers_ >= kMaxAnswers)) {
    return absl::ResourceExhaustedError("the plugin does not read them");
  }
  if (IsAnswer(info)) ++answers_;
  outgoing_.push_back(info);
  WriteNext();
  return absl::OkStatus();
}

void BrokerStream::Cancel() {
  MutexLock lock(mutex_);
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
  MutexLock lock(mutex_);
  starting_ = false;
  SetHurry();
  if (!ok) {
    ended_ = true;
    return FinishIfIdle();
  }
  ready_ = true;
  call_->ReadInitialMetadata(headers_.tag());
  WriteNext();
}

// They come with its first message. What it was in a hurry for may be that.
void BrokerStream::OnHeaders(bool ok) {
  const grpc::Status readable =
      ok ? CheckNotCompressed(context_) : grpc::Status::OK;
  if (!readable.ok()) return Refuse(readable);
  MutexLock lock(mutex_);
  ReadNext();
}

void BrokerStream::OnRead(bool ok) {
  if (ok) {
    wire::ConnInfo info;
    const grpc::Status status = Unpack(incoming_, kMaxControlMessage, info);
    if (!status.ok()) return Refuse(status);
    callbacks_.on_info(info);
  }
  MutexLock lock(mutex_);
  if (ok) return ReadNext();
  ended_ = true;
  FinishIfIdle();
}

void BrokerStream::ReadNext() {
  paused_ = answers_ >= kManyAnswers && writing_;
  if (!paused_) call_->Read(&incoming_, read_.tag());
}

void BrokerStream::Refuse(const grpc::Status& why) {
  refusal_ = why;
  context_.TryCancel();
  MutexLock lock(mutex_);
  ended_ = true;
  FinishIfIdle();
}

void BrokerStream::OnWritten(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  SetHurry();
  // A failed write means the end, which the read will see.
  ready_ = ok;
  if (ended_) return FinishIfIdle();
  WriteNext();
  if (paused_) ReadNext();
}

void BrokerStream::WriteNext() {
  if (!ready_ || writing_ || ended_ || outgoing_.empty()) return;
  writing_ = true;
  SetHurry();
  if (IsAnswer(outgoing_.front())) --answers_;
  call_->Write(outgoing_.front(), written_.tag());
  // gRPC has its own copy.
  outgoing_.pop_front();
}

void BrokerStream::FinishIfIdle() {
  if (!writing_) call_->Finish(&status_, finished_.tag());
}

void BrokerStream::OnFinished(bool /*ok*/) {
  callbacks_.on_end(refusal_.ok() ? status_ : refusal_);
  std::shared_ptr<BrokerStream> last;
  MutexLock lock(mutex_);
  last = std::move(self_);
  cancelled_ = false;
  SetHurry();
}

}  // namespace goplugin::internal
