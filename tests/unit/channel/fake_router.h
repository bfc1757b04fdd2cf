#ifndef TESTS_UNIT_CHANNEL_FAKE_ROUTER_H_
#define TESTS_UNIT_CHANNEL_FAKE_ROUTER_H_

#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

// Says what it was told to say.
class FakeRouter final : public CallRouter {
 public:
  // Calls begin without a target, whatever there is for those that wait.
  explicit FakeRouter(bool all_wait = false) : all_wait_(all_wait) {}

  void SetTarget(std::shared_ptr<CallTarget> target) {
    Change([&] { target_ = std::move(target); });
  }
  void SetMayWait(bool may_wait) {
    Change([&] { may_wait_ = may_wait; });
  }
  // Tells that something has changed.
  void Tell() {
    Change([] {});
  }
  // How many wait to be told.
  int listeners() {
    const MutexLock lock(mutex_);
    return static_cast<int>(listeners_.size());
  }
  // Until somebody does.
  void WaitForListener() {
    const MutexLock lock(mutex_);
    mutex_.Await(absl::Condition(
        +[](FakeRouter* router) ABSL_NO_THREAD_SAFETY_ANALYSIS {
          return !router->listeners_.empty();
        },
        this));
  }

  std::shared_ptr<CallTarget> Pick() override {
    if (all_wait_ && !OnSdkThread()) return nullptr;
    const MutexLock lock(mutex_);
    return target_;
  }
  grpc::Status WhyNone() override {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "it has crashed");
  }
  bool MayWait() override {
    const MutexLock lock(mutex_);
    return may_wait_;
  }
  void OnChange(std::function<void()> on_change) override {
    const MutexLock lock(mutex_);
    listeners_.push_back(std::move(on_change));
  }

 private:
  void Change(const std::function<void()>& change) {
    std::vector<std::function<void()>> told;
    {
      const MutexLock lock(mutex_);
      change();
      told.swap(listeners_);
    }
    for (const auto& listener : told) listener();
  }

  const bool all_wait_;
  absl::Mutex mutex_;
  std::shared_ptr<CallTarget> target_ ABSL_GUARDED_BY(mutex_);
  bool may_wait_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // TESTS_UNIT_CHANNEL_FAKE_ROUTER_H_
