#include "goplugin/internal/channel/handed_interceptor.h"

#include <memory>
#include <utility>

namespace goplugin::internal {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::Interceptor;

// The innermost of this thread.
thread_local Handover* current = nullptr;

class Factory final : public ClientInterceptorFactoryInterface {
 public:
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    return Handover::Take(info->client_context()).release();
  }
};

}  // namespace

std::unique_ptr<ClientInterceptorFactoryInterface> HandedInterceptorFactory() {
  return std::make_unique<Factory>();
}

Handover::Handover(std::unique_ptr<Interceptor> interceptor,
                   const grpc::ClientContext* context)
    : interceptor_(std::move(interceptor)),
      context_(context),
      outer_(std::exchange(current, this)) {}

Handover::~Handover() { current = outer_; }

std::unique_ptr<Interceptor> Handover::Take(
    const grpc::ClientContext* context) {
  if (current == nullptr || current->context_ != context) return nullptr;
  return std::move(current->interceptor_);
}

}  // namespace goplugin::internal
