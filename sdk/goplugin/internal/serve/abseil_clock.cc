#include "goplugin/internal/serve/abseil_clock.h"

#include <utility>

#include "absl/status/statusor.h"

namespace goplugin::internal {

AbseilClock::AbseilClock() {
  for (SdkThread* thread : {&first_, &second_}) {
    absl::StatusOr<SdkThread> started = StartSdkThread(
        "goplugin-clock", [this] { over_.WaitForNotification(); });
    if (started.ok()) *thread = *std::move(started);
  }
}

AbseilClock::~AbseilClock() {
  over_.Notify();
  first_.Join();
  second_.Join();
}

}  // namespace goplugin::internal
