#include "tests/benchmarks/passing.h"

#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <utility>

#include "goplugin/internal/channel/call_relay.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/passing_channel.h"

namespace goplugin::benchmarks {
namespace {

class OneTarget final : public internal::CallRouter {
 public:
  explicit OneTarget(std::shared_ptr<grpc::Channel> channel)
      : target_(std::make_shared<internal::CallTarget>()) {
    target_->channel = std::move(channel);
  }
  std::shared_ptr<internal::CallTarget> Pick() override { return target_; }
  grpc::Status WhyNone() override { return grpc::Status::OK; }
  bool MayWait() override { return true; }
  void OnChange(std::function<void()> /*on_change*/) override {}

 private:
  const std::shared_ptr<internal::CallTarget> target_;
};

}  // namespace

std::shared_ptr<grpc::ChannelInterface> PassingChannelTo(
    std::shared_ptr<grpc::Channel> channel, bool relayed) {
  internal::PassingOptions options;
  if (relayed) options.retry_safe_methods = {"/proto.KV/Get", "/proto.KV/Put"};
  return std::make_shared<internal::PassingChannel>(
      std::make_shared<OneTarget>(std::move(channel)),
      std::make_shared<internal::CallRelay>(), std::move(options));
}

}  // namespace goplugin::benchmarks
