// The ways of a passing channel, and none.
#include <grpcpp/impl/channel_interface.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <utility>

#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

class RawWay final : public OpenWay {
 public:
  explicit RawWay(const Plugin& plugin) : channel_(plugin.target->channel) {}
  std::shared_ptr<grpc::ChannelInterface> channel() override {
    return channel_;
  }

 private:
  const std::shared_ptr<grpc::ChannelInterface> channel_;
};

class PassingWay final : public OpenWay {
 public:
  PassingWay(const Plugin& plugin, PassingOptions options, bool all_wait)
      : target_(plugin.target),
        passing_(std::make_unique<Passing>(std::move(options), all_wait)) {
    passing_->router->SetTarget(target_);
  }
  ~PassingWay() override {
    // A relayed call's other half ends a moment after its caller's.
    passing_.reset();
    EXPECT_EQ(target_->under_way, 0);
  }
  std::shared_ptr<grpc::ChannelInterface> channel() override {
    return passing_->channel;
  }

 private:
  const std::shared_ptr<CallTarget> target_;
  std::unique_ptr<Passing> passing_;
};

std::unique_ptr<OpenWay> Raw(const Plugin& plugin) {
  return std::make_unique<RawWay>(plugin);
}
std::unique_ptr<OpenWay> Passed(const Plugin& plugin) {
  return std::make_unique<PassingWay>(plugin, PassingOptions(), false);
}
std::unique_ptr<OpenWay> Waited(const Plugin& plugin) {
  return std::make_unique<PassingWay>(plugin, PassingOptions(), true);
}
std::unique_ptr<OpenWay> Repeatable(const Plugin& plugin) {
  PassingOptions options;
  options.retry_safe_methods.insert(std::begin(kCallsMethods),
                                    std::end(kCallsMethods));
  return std::make_unique<PassingWay>(plugin, std::move(options), false);
}

INSTANTIATE_TEST_SUITE_P(Ways, AnyWayTest,
                         ::testing::Values(Way{"Raw", Raw},
                                           Way{"Passed", Passed},
                                           Way{"Waited", Waited},
                                           Way{"Repeatable", Repeatable}),
                         NameOfWay);

}  // namespace
}  // namespace goplugin::internal
