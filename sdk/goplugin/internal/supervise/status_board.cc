#include "goplugin/internal/supervise/status_board.h"

#include <algorithm>
#include <utility>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

ReplicaStatus StatusOf(const StatusBoard::Row& row, absl::Duration now) {
  ReplicaStatus status = row.status;
  if (row.up_since <= now) status.uptime = now - row.up_since;
  if (row.start_at != absl::InfiniteDuration()) {
    status.next_attempt = std::max(absl::ZeroDuration(), row.start_at - now);
  }
  if (row.target != nullptr) {
    const int under_way = row.target->under_way;
    status.calls_under_way = under_way;
    const bool quiet = under_way > 0 && row.target->heard == row.heard;
    if (quiet) status.silent = now - row.quiet_since;
  }
  for (const std::shared_ptr<const CallTarget>& target : row.leaving) {
    status.calls_under_way += target->under_way;
  }
  return status;
}

}  // namespace

void StatusBoard::Show(Picture picture) {
  MutexLock lock(mutex_);
  // What goes out of the picture goes without the lock.
  std::swap(picture_, picture);
  changed_.NotifyAll();
}

SupervisorStatus StatusBoard::Read() const {
  SupervisorStatus status;
  MutexLock lock(mutex_);
  // Not before the picture.
  const absl::Duration now = this->now();
  status.state = picture_.state;
  status.breaker_open = picture_.breaker_open;
  status.last_failure = picture_.last_failure;
  for (const Row& row : picture_.rows) {
    status.replicas.push_back(StatusOf(row, now));
  }
  return status;
}

std::shared_ptr<Client> StatusBoard::client(int replica) const {
  MutexLock lock(mutex_);
  for (const Row& row : picture_.rows) {
    const bool wanted = replica < 0 || row.status.replica == replica;
    if (wanted && row.status.in_use) return row.client;
  }
  return nullptr;
}

absl::Status StatusBoard::WaitForFailure(absl::Duration since,
                                         absl::Duration timeout) {
  MutexLock lock(mutex_);
  const auto failed = [this, since] {
    mutex_.AssertReaderHeld();
    return picture_.failures > 0 && picture_.failed_at >= since;
  };
  changed_.WaitFor(mutex_, timeout, failed);
  return failed() ? picture_.last_failure : absl::OkStatus();
}

}  // namespace goplugin::internal
