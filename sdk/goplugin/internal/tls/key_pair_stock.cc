#include "goplugin/internal/tls/key_pair_stock.h"

#include <unistd.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

struct Stock {
  absl::Mutex mutex;
  absl::optional<KeyPair> next ABSL_GUARDED_BY(mutex);
  bool wanted ABSL_GUARDED_BY(mutex) = false;
  pid_t process ABSL_GUARDED_BY(mutex) = 0;
};

// Never destroyed: see the registry of runtimes.
Stock& TheStock() {
  static auto* stock = new Stock;
  return *stock;
}

// A forked child must not use its parent's.
bool Usable(const Stock& stock) ABSL_SHARED_LOCKS_REQUIRED(stock.mutex) {
  return stock.next.has_value() && stock.process == getpid();
}

}  // namespace

absl::StatusOr<KeyPair> KeyPairStock::Take() {
  Stock& stock = TheStock();
  {
    MutexLock lock(stock.mutex);
    stock.wanted = true;
    if (Usable(stock)) return *std::exchange(stock.next, absl::nullopt);
  }
  return GenerateOneTimeCertificate();
}

void KeyPairStock::Refill() {
  Stock& stock = TheStock();
  {
    MutexLock lock(stock.mutex);
    if (!stock.wanted || Usable(stock)) return;
  }
  absl::StatusOr<KeyPair> made = GenerateOneTimeCertificate();
  // Then Take fails as well, and tells.
  if (!made.ok()) return;
  MutexLock lock(stock.mutex);
  stock.next = *std::move(made);
  stock.process = getpid();
}

}  // namespace goplugin::internal
