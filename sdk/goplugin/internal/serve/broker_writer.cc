#include "goplugin/internal/serve/broker_writer.h"

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

bool IsAnswer(const wire::ConnInfo& info) { return info.knock().ack(); }

}  // namespace

absl::Status BrokerWriter::Write(const wire::ConnInfo& info) {
  MutexLock lock(mutex_);
  if (!open_) return absl::UnavailableError("the stream has ended");
  if (waiting_ >= kMaxMessages || (IsAnswer(info) && answers_ >= kMaxAnswers)) {
    return absl::ResourceExhaustedError("the host does not read them");
  }
  ++waiting_;
  if (IsAnswer(info)) ++answers_;
  worker_.Post([this, info] { WriteNow(info); });
  return absl::OkStatus();
}

void BrokerWriter::WriteNow(const wire::ConnInfo& info) {
  {
    MutexLock lock(mutex_);
    if (!open_) return;
    writing_ = true;
  }
  const bool written = stream_->Write(info);
  MutexLock lock(mutex_);
  writing_ = false;
  --waiting_;
  if (IsAnswer(info)) --answers_;
  if (!written) open_ = false;
}

void BrokerWriter::WaitForAnswers() {
  MutexLock lock(mutex_);
  mutex_.Await(absl::Condition(this, &BrokerWriter::MayRead));
}

void BrokerWriter::Detach() {
  MutexLock lock(mutex_);
  open_ = false;
  mutex_.Await(absl::Condition(this, &BrokerWriter::Idle));
}

}  // namespace goplugin::internal
