#include "goplugin/internal/lifecycle/session_state.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

std::shared_ptr<grpc::Channel> SessionState::channel() const {
  MutexLock lock(mutex_);
  return channel_;
}

void SessionState::set_channel(std::shared_ptr<grpc::Channel> channel) {
  MutexLock lock(mutex_);
  // Swapped, so that the old one is destroyed by the caller's argument, after
  // the lock.
  channel_.swap(channel);
}

absl::Status SessionState::lost() const {
  MutexLock lock(mutex_);
  return lost_;
}

void SessionState::set_lost(absl::Status why) {
  MutexLock lock(mutex_);
  lost_ = std::move(why);
}

std::string SessionState::hang() const {
  MutexLock lock(mutex_);
  return hang_;
}

void SessionState::set_hang(std::string why) {
  MutexLock lock(mutex_);
  hang_ = std::move(why);
}

void SessionState::SetExited(ExitStatus status, absl::Status why) {
  MutexLock lock(mutex_);
  exit_status_ = status;
  exit_error_ = std::move(why);
  changed_.NotifyAll();
}

absl::Status SessionState::exit_error() const {
  MutexLock lock(mutex_);
  return exit_error_;
}

absl::optional<ExitStatus> SessionState::exit_status() const {
  MutexLock lock(mutex_);
  return exit_status_;
}

bool SessionState::WaitForExit(absl::Duration timeout) const {
  MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, timeout, [this] {
    mutex_.AssertReaderHeld();
    return ExitIsDecided();
  });
  return exit_status_.has_value();
}

void SessionState::SetEnd(End end) {
  MutexLock lock(mutex_);
  end_ = std::move(end);
  since_end_ = Stopwatch();
}

bool SessionState::ExcuseStop(absl::Duration close) {
  MutexLock lock(mutex_);
  if (!end_.has_value() || !end_->by_stop || since_end_.Elapsed() > close) {
    return false;
  }
  if (explained_ && end_->exit_status.success()) return false;
  end_->by_stop = false;
  end_->excused = true;
  end_->result = absl::OkStatus();
  return true;
}

void SessionState::SetExplained() {
  MutexLock lock(mutex_);
  explained_ = true;
}

void SessionState::CallBack() {
  std::vector<ExitCallback> exits;
  std::vector<EndCallback> ends;
  {
    MutexLock lock(mutex_);
    called_back_ = true;
    exits.swap(exit_callbacks_);
    ends.swap(end_callbacks_);
  }
  // Constant by now.
  const End end = *this->end();
  for (ExitCallback& callback : exits) {
    std::move(callback)(end.exit_status, end.exit_error);
  }
  for (EndCallback& callback : ends) std::move(callback)(end.result);
}

void SessionState::NotifyEnded() {
  MutexLock lock(mutex_);
  ended_ = true;
  changed_.NotifyAll();
}

absl::optional<SessionState::End> SessionState::end() const {
  MutexLock lock(mutex_);
  return end_;
}

bool SessionState::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

bool SessionState::WaitForEnd(absl::Duration timeout) const {
  MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, timeout, [this] {
    mutex_.AssertReaderHeld();
    return ended_;
  });
}

void SessionState::OnExit(ExitCallback callback, Lane& lane) {
  MutexLock lock(mutex_);
  if (!called_back_) return exit_callbacks_.push_back(std::move(callback));
  lane.Post([callback = std::move(callback), end = *end_]() mutable {
    std::move(callback)(end.exit_status, end.exit_error);
  });
}

void SessionState::OnEnd(EndCallback callback, Lane& lane) {
  MutexLock lock(mutex_);
  if (!called_back_) return end_callbacks_.push_back(std::move(callback));
  lane.Post([callback = std::move(callback), end = *end_]() mutable {
    std::move(callback)(end.result);
  });
}

}  // namespace goplugin::internal
