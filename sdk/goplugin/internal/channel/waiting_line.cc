#include "goplugin/internal/channel/waiting_line.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

WaitingLine::WaitingLine(std::shared_ptr<CallRouter> router,
                         std::shared_ptr<RouterChanges> changes,
                         std::shared_ptr<RelayDesk> desk, int max_waiting)
    : router_(std::move(router)),
      changes_(std::move(changes)),
      desk_(std::move(desk)),
      max_waiting_(max_waiting) {}

WaitingLine::~WaitingLine() = default;

bool WaitingLine::Enter(Waiter& waiter) {
  if (waiter.Look(*router_)) return true;
  if (waiter.IsCall() && calls_ >= max_waiting_) return false;
  const bool listens = !waiters_.empty();
  Add(waiter);
  if (listens) return true;
  listener_ = changes_->Listen([self = weak_from_this()] {
    const std::shared_ptr<WaitingLine> line = self.lock();
    if (line != nullptr) line->Wake();
  });
  // For a change before that.
  if (waiter.Look(*router_)) Leave(waiter);
  return true;
}

void WaitingLine::Add(Waiter& waiter) {
  waiter.place_ = ++last_place_;
  waiters_.emplace_hint(waiters_.end(), waiter.place_, &waiter);
  if (waiter.IsCall()) ++calls_;
}

void WaitingLine::Leave(Waiter& waiter) {
  Remove(waiter.place_, waiter.IsCall());
}

void WaitingLine::Remove(std::uint64_t place, bool is_call) {
  if (waiters_.erase(place) == 0) return;
  if (is_call) --calls_;
  if (waiters_.empty()) listener_ = RouterChanges::Listener();
}

void WaitingLine::Wake() {
  {
    const MutexLock lock(mutex_);
    if (posted_ != nullptr) return;
    posted_ = shared_from_this();
  }
  if (desk_->Post(*this)) return;
  const MutexLock lock(mutex_);
  posted_.reset();
}

void WaitingLine::Run(bool /*ok*/) {
  std::shared_ptr<WaitingLine> self;
  {
    const MutexLock lock(mutex_);
    self = std::move(posted_);
  }
  LookAll();
  desk_->OnPosted();
}

void WaitingLine::LookAll() {
  // By place: a look may have others leave, and more come.
  const std::uint64_t last = last_place_;
  for (auto next = waiters_.begin();
       next != waiters_.end() && next->first <= last;) {
    const std::uint64_t place = next->first;
    Waiter& waiter = *next->second;
    const bool is_call = waiter.IsCall();
    // One that looked with success is nobody's to ask any more.
    if (waiter.Look(*router_)) Remove(place, is_call);
    next = waiters_.upper_bound(place);
  }
}

}  // namespace goplugin::internal
