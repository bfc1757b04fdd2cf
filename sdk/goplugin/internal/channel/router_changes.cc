#include "goplugin/internal/channel/router_changes.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

grpc_connectivity_state StateOf(CallRouter& router) {
  if (router.IsAsleep()) return GRPC_CHANNEL_IDLE;
  if (router.Pick() != nullptr) return GRPC_CHANNEL_READY;
  return router.MayWait() ? GRPC_CHANNEL_CONNECTING
                          : GRPC_CHANNEL_TRANSIENT_FAILURE;
}

grpc::Status WhyNoTarget(CallRouter& router) {
  grpc::Status why = router.WhyNone();
  if (!why.ok()) return why;
  return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "no plugin process takes calls at this moment");
}

RouterChanges::Listener::~Listener() {
  if (changes_ == nullptr) return;
  MutexLock lock(changes_->mutex_);
  changes_->listeners_.erase(number_);
}

RouterChanges::Listener::Listener(Listener&& other) noexcept = default;

RouterChanges::Listener& RouterChanges::Listener::operator=(
    Listener&& other) noexcept {
  std::swap(changes_, other.changes_);
  std::swap(number_, other.number_);
  return *this;
}

RouterChanges::Listener RouterChanges::Listen(std::function<void()> on_change) {
  std::uint64_t number = 0;
  {
    MutexLock lock(mutex_);
    number = ++last_number_;
    listeners_.emplace(number, std::move(on_change));
  }
  Arm();
  return Listener(shared_from_this(), number);
}

void RouterChanges::Arm() {
  {
    MutexLock lock(mutex_);
    if (armed_ || listeners_.empty()) return;
    armed_ = true;
  }
  router_->OnChange([self = weak_from_this()] {
    const std::shared_ptr<RouterChanges> changes = self.lock();
    if (changes != nullptr) changes->OnChange();
  });
}

void RouterChanges::OnChange() {
  std::vector<std::function<void()>> told;
  {
    MutexLock lock(mutex_);
    armed_ = false;
    for (const auto& listener : listeners_) told.push_back(listener.second);
  }
  // First, so that no change is missed while they look.
  Arm();
  for (const std::function<void()>& listener : told) listener();
}

}  // namespace goplugin::internal
