// A supervisor over plugins in the test's own process, and over scripted ones:
// what does my host do when its plugin dies in this call?

#include "goplugin/testing/in_process_plugins.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"
#include "goplugin/testing/scripted_plugin.h"
#include "goplugin/testing/status_matchers.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

struct FakeKv final : public proto::KV::Service {
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest*,
                   proto::GetResponse* response) override {
    ++calls;
    if (on_get != nullptr) on_get();
    response->set_value("value");
    return grpc::Status::OK;
  }

  std::function<void()> on_get;
  std::atomic<int> calls{0};
};

SupervisorOptions Quick() {
  SupervisorOptions policy;
  policy.restart.initial = absl::Milliseconds(1);
  return policy;
}

grpc::Status Get(const Supervisor& supervisor) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  proto::GetResponse response;
  return supervisor.NewStub<proto::KV>()->Get(&context, proto::GetRequest(),
                                              &response);
}

class InProcessPluginsTest : public HarnessTest {};

TEST_F(InProcessPluginsTest, OneThatDiesInACallIsStartedAgain) {
  FakeKv kv;
  std::atomic<bool> dies{false};
  InProcessPlugins plugins(&kv);
  kv.on_get = [&] {
    if (dies) plugins.End({ExitStatus::Kind::kSignalled, SIGSEGV});
  };
  auto supervisor = Supervisor::Start(plugins.Source(), KvOptions(), Quick());
  ASSERT_THAT(supervisor, IsOk());
  EXPECT_TRUE(Get(**supervisor).ok());

  dies = true;
  const grpc::Status failed = Get(**supervisor);
  EXPECT_FALSE(failed.ok());
  EXPECT_THAT((*supervisor)->Explain(failed), StatusIs(Reason::kCrashed));
  dies = false;
  const grpc::Status again = Get(**supervisor);
  EXPECT_TRUE(again.ok()) << again.error_message();
  EXPECT_EQ(plugins.starts(), 2);
  EXPECT_EQ((*supervisor)->Status().replicas[0].restarts, 1);
}

TEST_F(InProcessPluginsTest, ACallThatMayBeRepeatedSeesNothingOfIt) {
  FakeKv kv;
  InProcessPlugins plugins(&kv);
  SupervisorOptions policy = Quick();
  policy.retry_safe_methods = {"/proto.KV/Get"};
  auto supervisor = Supervisor::Start(plugins.Source(), KvOptions(), policy);
  ASSERT_THAT(supervisor, IsOk());
  kv.on_get = [&] {
    if (kv.calls == 1) plugins.End({ExitStatus::Kind::kExited, 3});
  };
  const grpc::Status status = Get(**supervisor);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(kv.calls, 2);
  EXPECT_EQ(plugins.starts(), 2);
}

TEST_F(InProcessPluginsTest, EachMayServeSomethingElseOrNotStart) {
  std::vector<std::unique_ptr<FakeKv>> fakes;
  InProcessPlugins plugins([&]() -> absl::StatusOr<InProcessPluginOptions> {
    if (fakes.size() == 2) return absl::UnavailableError("out of fakes");
    fakes.push_back(std::make_unique<FakeKv>());
    return InProcessPluginOptions{{fakes.back().get()}};
  });
  SupervisorOptions policy = Quick();
  policy.restart.intensity = 2;
  auto supervisor = Supervisor::Start(plugins.Source(), KvOptions(), policy);
  ASSERT_THAT(supervisor, IsOk());
  plugins.End({ExitStatus::Kind::kExited, 3});
  EXPECT_TRUE(Get(**supervisor).ok());
  EXPECT_EQ(fakes.at(0)->calls, 0);
  EXPECT_EQ(fakes.at(1)->calls, 1);

  plugins.End({ExitStatus::Kind::kExited, 3});
  const grpc::Status refused = Get(**supervisor);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), ::testing::HasSubstr("out of fakes"));
  EXPECT_EQ((*supervisor)->Status().state, SupervisorState::kGaveUp);
  EXPECT_EQ(plugins.starts(), 3);
}

TEST_F(InProcessPluginsTest, ReplaceAndShutdown) {
  FakeKv old_kv;
  FakeKv new_kv;
  InProcessPlugins old_plugins(&old_kv);
  InProcessPlugins new_plugins(&new_kv);
  auto supervisor =
      Supervisor::Start(old_plugins.Source(), KvOptions(), Quick());
  ASSERT_THAT(supervisor, IsOk());
  EXPECT_THAT((*supervisor)->Replace(new_plugins.Source()), IsOk());
  EXPECT_TRUE(Get(**supervisor).ok());
  EXPECT_EQ(old_kv.calls, 0);
  EXPECT_EQ(new_kv.calls, 1);
  EXPECT_THAT((*supervisor)->Shutdown(), IsOk());
}

TEST_F(InProcessPluginsTest, TheSupervisorMayEndLast) {
  FakeKv kv;
  auto plugins = std::make_unique<InProcessPlugins>(&kv);
  SupervisorOptions policy = Quick();
  policy.restart.intensity = 0;
  auto supervisor = Supervisor::Start(plugins->Source(), KvOptions(), policy);
  ASSERT_THAT(supervisor, IsOk());
  plugins.reset();
  EXPECT_FALSE(Get(**supervisor).ok());
}

// The call has failed, and its method is still in End.
TEST_F(InProcessPluginsTest, TheDestructorWaitsForAMethodThatEndsThePlugins) {
  FakeKv kv;
  std::atomic<bool> returns{false};
  auto plugins = std::make_unique<InProcessPlugins>(&kv);
  kv.on_get = [&returns, raw = plugins.get()] {
    raw->End({ExitStatus::Kind::kSignalled, SIGSEGV});
    returns = true;
  };
  SupervisorOptions policy = Quick();
  policy.restart.intensity = 0;
  auto supervisor = Supervisor::Start(plugins->Source(), KvOptions(), policy);
  ASSERT_THAT(supervisor, IsOk());
  EXPECT_FALSE(Get(**supervisor).ok());
  plugins.reset();
  EXPECT_TRUE(returns);
}

// With a process of its own.
TEST_F(InProcessPluginsTest, AScriptedPluginThatDiesInEachCall) {
  ScriptedPlugin plugin;
  plugin.handshake = KvOptions().handshake;
  plugin.end_in_call = ExitStatus{ExitStatus::Kind::kSignalled, SIGKILL};
  SupervisorOptions policy = Quick();
  policy.restart.intensity = 1;
  auto supervisor = Supervisor::Start(
      plugin.ToCommand(std::getenv("SCRIPTED_PLUGIN")), KvOptions(), policy);
  ASSERT_THAT(supervisor, IsOk());
  for (int i = 0; i < 2; ++i) {
    const grpc::Status failed = Get(**supervisor);
    EXPECT_FALSE(failed.ok());
    EXPECT_THAT((*supervisor)->Explain(failed), StatusIs(Reason::kCrashed));
  }
  // One that ends when the breaker opens, or some before: the end of the second
  // plugin may not be known yet.
  while ((*supervisor)->Status().state != SupervisorState::kGaveUp) {
    EXPECT_EQ(Get(**supervisor).error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

}  // namespace
}  // namespace goplugin::testing
