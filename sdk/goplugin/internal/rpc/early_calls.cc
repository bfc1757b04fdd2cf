#include "goplugin/internal/rpc/early_calls.h"

#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/interceptor.h>

#include <memory>
#include <utility>

namespace goplugin::internal {

// Ends with the call's status, or with a call that is given up without one.
class EarlyCalls::Call final : public grpc::experimental::Interceptor {
 public:
  explicit Call(std::shared_ptr<EarlyCalls> calls) : calls_(std::move(calls)) {
    ++calls_->under_way_;
  }
  ~Call() override { End(); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::POST_RECV_STATUS)) {
      End();
    }
    batch->Proceed();
  }

 private:
  void End() {
    const std::shared_ptr<EarlyCalls> calls = std::exchange(calls_, nullptr);
    if (calls != nullptr) --calls->under_way_;
  }

  std::shared_ptr<EarlyCalls> calls_;
};

std::unique_ptr<grpc::experimental::Interceptor> EarlyCalls::See() {
  if (closed_) return nullptr;
  return std::make_unique<Call>(shared_from_this());
}

}  // namespace goplugin::internal
