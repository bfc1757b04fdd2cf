#include "goplugin/internal/serve/accept_threads.h"

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/notification.h"

namespace goplugin::internal {

AcceptThreads::AcceptThreads(Acceptors::Warn warn)
    : acceptors_(Acceptors::Create(
          loop_,
          [this](absl::AnyInvocable<void()> task) {
            worker_.Post(std::move(task));
          },
          std::move(warn))) {}

AcceptThreads::~AcceptThreads() { End(); }

void AcceptThreads::End() {
  if (!loop_.status().ok()) return;
  absl::Notification ended;
  loop_.Post([this, &ended] {
    acceptors_->End();
    ended.Notify();
  });
  ended.WaitForNotification();
}

}  // namespace goplugin::internal
