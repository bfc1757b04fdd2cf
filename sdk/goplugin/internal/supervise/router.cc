#include "goplugin/internal/supervise/router.h"

#include <utility>

#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

void Router::Change(Routes routes) {
  // Dropped without the lock: it may be the last reference to a channel.
  Routes before;
  {
    MutexLock lock(mutex_);
    before = std::exchange(routes_, std::move(routes));
  }
  LookAgain();
}

void Router::LookAgain() {
  std::vector<std::function<void()>> listeners;
  {
    MutexLock lock(mutex_);
    wanted_ = false;
    listeners.swap(listeners_);
  }
  for (const std::function<void()>& listener : listeners) listener();
}

size_t Router::Random(size_t bound) {
  // xorshift: what is wanted is that callers spread.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<size_t>(random_ % bound);
}

std::shared_ptr<CallTarget> Router::PickOf(const std::vector<Route>& routes,
                                           bool& broken) {
  const size_t count = routes.size();
  size_t best = 0;
  if (count > 1) {
    const size_t one = Random(count);
    // Another one.
    const size_t two = (one + 1 + Random(count - 1)) % count;
    const bool fewer =
        routes[two].target->under_way < routes[one].target->under_way;
    best = fewer ? two : one;
  }
  std::shared_ptr<CallTarget> doubted;
  std::shared_ptr<CallTarget> last;
  // As a rule, one look.
  for (size_t i = 0; i < count; ++i) {
    const Route& route = routes[(best + i) % count];
    const Condition condition = route.look();
    if (condition == Condition::kConnected) return route.target;
    if (condition == Condition::kBroken) last = route.target;
    if (condition == Condition::kDoubted && doubted == nullptr) {
      doubted = route.target;
    }
  }
  if (doubted != nullptr) return doubted;
  broken = last != nullptr;
  // Who does not wait has it from the connection itself.
  return routes_.may_wait ? nullptr : last;
}

std::shared_ptr<CallTarget> Router::Pick() {
  {
    MutexLock lock(mutex_);
    bool broken = false;
    if (!routes_.targets.empty()) {
      std::shared_ptr<CallTarget> picked = PickOf(routes_.targets, broken);
      if (picked != nullptr) return picked;
    }
    const bool wants = (routes_.asleep || broken) && !wanted_;
    if (!wants) return nullptr;
    wanted_ = true;
  }
  want_();
  return nullptr;
}

bool Router::IsAsleep() {
  MutexLock lock(mutex_);
  return routes_.asleep && routes_.targets.empty();
}

grpc::Status Router::WhyNone() {
  MutexLock lock(mutex_);
  return routes_.why_none;
}

bool Router::MayWait() {
  MutexLock lock(mutex_);
  return routes_.may_wait;
}

void Router::OnChange(std::function<void()> on_change) {
  MutexLock lock(mutex_);
  listeners_.push_back(std::move(on_change));
}

}  // namespace goplugin::internal
