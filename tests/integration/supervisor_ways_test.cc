// The calls of tests/unit/channel's any_way_test.h over a supervised plugin:
// one that is there, one that the first call starts (and waits for), one whose
// calls may be made again; and over the plugin's own channel. The plugin is one
// that somebody else runs.

#include <grpcpp/client_context.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/supervisor.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::testing {
namespace {

using internal::AnyWayTest;
using internal::MessageOf;
using internal::OpenWay;
using internal::Plugin;
using internal::Way;

ClientOptions OptionsFor(const Plugin& plugin) {
  ClientOptions options = ShortLadder();
  options.interceptors = plugin.make_interceptors;
  return options;
}

class AttachedWay final : public OpenWay {
 public:
  explicit AttachedWay(const Plugin& plugin) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Attach(plugin.address, OptionsFor(plugin));
    EXPECT_TRUE(client.ok()) << client.status();
    if (client.ok()) client_ = *std::move(client);
  }
  std::shared_ptr<grpc::ChannelInterface> channel() override {
    return client_->channel();
  }

 private:
  std::unique_ptr<Client> client_;
};

class SupervisedWay final : public OpenWay {
 public:
  SupervisedWay(const Plugin& plugin, const SupervisorOptions& policy)
      : supervisor_(MustStart(SupervisorSource::Attach(plugin.address), policy,
                              OptionsFor(plugin))) {
    // Nothing is there that the first call could be passed to.
    const bool waits = policy.start == StartMode::kLazy;
    EXPECT_EQ(supervisor_->Status().state,
              waits ? SupervisorState::kStopped : SupervisorState::kReady);
  }
  ~SupervisedWay() override {
    // A relayed call's other half ends a moment after its caller's.
    EXPECT_TRUE(Eventually([this] {
      return supervisor_->Status().replicas[0].calls_under_way == 0;
    }));
    EXPECT_EQ(supervisor_->Status().last_failure, absl::OkStatus());
    EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
  }
  std::shared_ptr<grpc::ChannelInterface> channel() override {
    return supervisor_->channel();
  }

 private:
  const std::unique_ptr<Supervisor> supervisor_;
};

std::unique_ptr<OpenWay> Raw(const Plugin& plugin) {
  return std::make_unique<AttachedWay>(plugin);
}
std::unique_ptr<OpenWay> Ready(const Plugin& plugin) {
  return std::make_unique<SupervisedWay>(plugin, QuickPolicy());
}
std::unique_ptr<OpenWay> Waited(const Plugin& plugin) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  return std::make_unique<SupervisedWay>(plugin, policy);
}
std::unique_ptr<OpenWay> RetrySafe(const Plugin& plugin) {
  SupervisorOptions policy = QuickPolicy();
  policy.retry_safe_methods.assign(std::begin(internal::kCallsMethods),
                                   std::end(internal::kCallsMethods));
  return std::make_unique<SupervisedWay>(plugin, policy);
}

// What wait_for_ready is for there decides the policy alone.
TEST(SupervisorWaysTest, WaitForReadyDoesNotMakeACallWaitWhereNoneIsTo) {
  Plugin plugin;
  SupervisorOptions policy = QuickPolicy();
  policy.unavailable = Unavailable::kFail;
  policy.health.interval = absl::Milliseconds(100);
  policy.health.timeout = absl::Milliseconds(500);
  policy.health.failures = 1;
  const auto supervisor =
      MustStart(SupervisorSource::Attach(plugin.address), policy);
  ASSERT_NE(supervisor, nullptr);
  plugin.Die();
  ASSERT_TRUE(Eventually([&] { return supervisor->client() == nullptr; }));
  const auto stub = supervisor->NewStub<Calls>();
  for (const bool waits : {false, true}) {
    grpc::ClientContext context;
    context.set_deadline(internal::Soon());
    context.set_wait_for_ready(waits);
    Message response;
    const absl::Time begun = absl::Now();
    const grpc::Status status =
        stub->One(&context, MessageOf("hello"), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_TRUE(absl::StrContains(status.error_message(), "restarting"))
        << status.error_message();
    EXPECT_LT(absl::Now() - begun, kGrace);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, AnyWayTest,
                         ::testing::Values(Way{"Raw", Raw}, Way{"Ready", Ready},
                                           Way{"Waited", Waited},
                                           Way{"RetrySafe", RetrySafe}),
                         internal::NameOfWay);

}  // namespace
}  // namespace goplugin::testing
