#include "goplugin/internal/rpc/early_calls.h"

#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/interceptor.h>

#include <memory>
#include <utility>

namespace goplugin::internal {

// Ends with the call's status, or with a call that is given up without one.
class EarlyCalls::Call final : public grpc::experimental::Interceptor {
 public:
  explicit Call(std::shared_ptr<EarlyCalls> calls) : calls_(std::move(calls)) {}
  ~Call() override { End(); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (batch->QueryInterceptionHookPoint(Point::PRE_SEND_INITIAL_METADATA)) {
      Begin();
    }
    if (batch->QueryInterceptionHookPoint(Point::POST_RECV_STATUS)) End();
    batch->Proceed();
  }

 private:
  void Begin() {
    counted_ = !calls_->closed_;
    if (counted_) ++calls_->under_way_;
  }
  void End() {
    if (std::exchange(counted_, false)) --calls_->under_way_;
  }

  const std::shared_ptr<EarlyCalls> calls_;
  bool counted_ = false;
};

std::unique_ptr<grpc::experimental::Interceptor> EarlyCalls::See() {
  if (closed_) return nullptr;
  return std::make_unique<Call>(shared_from_this());
}

}  // namespace goplugin::internal
