#include "goplugin/internal/channel/call_watch.h"

#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "goplugin/internal/channel/handed_interceptor.h"

namespace goplugin::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;

// Whether gRPC itself may have ended the call so, whatever the plugin does.
bool MayBeOurOwn(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE ||
         code == grpc::StatusCode::CANCELLED ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

// Its hooks may run on several threads at once: a stream's two directions.
class CallWatch final : public CallKeeper {
 public:
  CallWatch(std::shared_ptr<CallTarget> target,
            std::shared_ptr<const void> kept)
      : CallKeeper(std::move(kept)), target_(std::move(target)) {
    target_->under_way.fetch_add(1, std::memory_order_relaxed);
  }
  ~CallWatch() override { End(); }

  void Intercept(InterceptorBatchMethods* methods) override {
    const auto now = [&](InterceptionHookPoints point) {
      return methods->QueryInterceptionHookPoint(point);
    };
    bool heard = now(InterceptionHookPoints::POST_RECV_MESSAGE) &&
                 methods->GetRecvMessage() != nullptr;
    if (now(InterceptionHookPoints::POST_RECV_STATUS)) {
      const grpc::StatusCode code = methods->GetRecvStatus()->error_code();
      heard = heard || !MayBeOurOwn(code);
      if (!heard && code == grpc::StatusCode::UNAVAILABLE) Doubt();
      End();
    }
    if (heard) Hear();
    methods->Proceed();
  }

 private:
  void Hear() {
    target_->heard.fetch_add(1, std::memory_order_relaxed);
    if (target_->doubted_at.load(std::memory_order_relaxed) == 0) return;
    target_->doubted_at.store(0, std::memory_order_relaxed);
  }
  void Doubt() {
    target_->doubted_at.store(
        std::chrono::steady_clock::now().time_since_epoch().count(),
        std::memory_order_relaxed);
  }
  void End() {
    if (over_.exchange(true, std::memory_order_relaxed)) return;
    target_->under_way.fetch_sub(1, std::memory_order_release);
  }

  const std::shared_ptr<CallTarget> target_;
  std::atomic<bool> over_{false};
};

}  // namespace

std::unique_ptr<grpc::experimental::Interceptor> WatchCall(
    std::shared_ptr<CallTarget> target, std::shared_ptr<const void> kept) {
  return std::make_unique<CallWatch>(std::move(target), std::move(kept));
}

}  // namespace goplugin::internal
