#include "goplugin/internal/process/spawn_ticket.h"

#include <cerrno>
#include <utility>

#include "goplugin/internal/process/prepared_spawn.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// A file that was just written can be busy for a moment: another thread's child
// may hold the writer's descriptor between its clone and its exec.
constexpr int kBusyRetries = 50;

}  // namespace

SpawnTicket::SpawnTicket(
    std::shared_ptr<PreparedSpawn> prepared, Done done,
    absl::AnyInvocable<void(const SpawnTicket*)> on_abandoned)
    : prepared_(std::move(prepared)),
      done_(std::move(done)),
      on_abandoned_(std::move(on_abandoned)) {}

void SpawnTicket::Abandon() {
  // What they hold may end a client: not under the lock.
  std::shared_ptr<PreparedSpawn> prepared;
  Done done;
  absl::AnyInvocable<void(const SpawnTicket*)> on_abandoned;
  {
    MutexLock lock(mutex_);
    if (phase_ == Phase::kOver) return;
    if (phase_ == Phase::kCloning) attempt_.GiveUp();
    phase_ = Phase::kOver;
    prepared = std::move(prepared_);
    done = std::move(done_);
    on_abandoned = std::move(on_abandoned_);
  }
  on_abandoned(this);
}

bool SpawnTicket::TryOnce(absl::FunctionRef<void()> cloned) {
  const std::shared_ptr<PreparedSpawn> prepared = Begin();
  if (prepared == nullptr) return false;
  SpawnResult result = prepared->Clone(attempt_);
  cloned();
  Done done;
  if (Settle(result, done)) return true;
  if (done != nullptr) done(std::move(result));
  return false;
}

std::shared_ptr<PreparedSpawn> SpawnTicket::Begin() {
  MutexLock lock(mutex_);
  if (phase_ != Phase::kWaiting) return nullptr;
  phase_ = Phase::kCloning;
  return prepared_;
}

bool SpawnTicket::Settle(const SpawnResult& result, Done& done) {
  MutexLock lock(mutex_);
  if (phase_ == Phase::kOver) return false;
  if (result.error_number() == ETXTBSY && retries_ < kBusyRetries) {
    ++retries_;
    phase_ = Phase::kWaiting;
    return true;
  }
  phase_ = Phase::kOver;
  done = std::move(done_);
  prepared_.reset();
  on_abandoned_ = nullptr;
  return false;
}

}  // namespace goplugin::internal
