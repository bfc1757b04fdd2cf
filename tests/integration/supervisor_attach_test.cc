// Supervised plugins that somebody else runs: what comes and goes is the
// connection.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls_service.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

SupervisorOptions Watchful() {
  SupervisorOptions policy = QuickPolicy();
  policy.health.interval = absl::Milliseconds(100);
  policy.health.timeout = absl::Milliseconds(300);
  policy.health.failures = 2;
  return policy;
}

class SupervisorAttachTest : public HarnessTest {
 protected:
  void Serve() { server_ = std::make_unique<CallsServer>(target_); }
  void Vanish() { server_.reset(); }

  bool Start(SupervisorOptions policy) {
    supervisor_ = MustStart(SupervisorSource::Attach(target_), policy);
    if (supervisor_ == nullptr) return false;
    stub_ = supervisor_->NewStub<Calls>();
    return true;
  }

  grpc::Status Call(absl::Duration timeout = kPatience) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Message request;
    request.set_text("hello");
    Message response;
    const grpc::Status status = stub_->One(&context, request, &response);
    EXPECT_TRUE(!status.ok() || response.text() == "hello");
    return status;
  }
  void ExpectServed() {
    const grpc::Status status = Call();
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  std::uint64_t Generation() const {
    return supervisor_->Status().replicas[0].generation;
  }

  void TearDown() override {
    stub_.reset();
    supervisor_.reset();
    server_.reset();
    HarnessTest::TearDown();
  }

  const std::string target_ = NewTarget();
  std::unique_ptr<CallsServer> server_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Calls::Stub> stub_;
};

TEST_F(SupervisorAttachTest, NobodyThereIsAFailedStart) {
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(500);
  const absl::Time begun = absl::Now();
  const absl::Status status =
      Supervisor::Start(SupervisorSource::Attach(target_), options,
                        QuickPolicy())
          .status();
  EXPECT_LT(absl::Now() - begun, options.start_timeout + kGrace);
  ExpectError(status, {Reason::kConnect, "replica 0, generation 1",
                       "start the plugin first"});
}

TEST_F(SupervisorAttachTest, WhatCantBeAttachedToIsSaidAtOnce) {
  SupervisorOptions lazy = QuickPolicy();
  lazy.start = StartMode::kLazy;
  ClientOptions options = ShortLadder();
  options.multiplex = Multiplex::kRequire;
  ExpectError(
      Supervisor::Start(SupervisorSource::Attach(target_), options, lazy)
          .status(),
      {Reason::kMuxUnsupported, "", ""});
  ExpectError(Supervisor::Start(SupervisorSource::Attach("ipv4:nonsense"),
                                ShortLadder(), QuickPolicy())
                  .status(),
              {Reason::kOptions, "ipv4:nonsense", ""});
}

// As a service that is restarted by its own supervisor.
TEST_F(SupervisorAttachTest, IsAttachedToAgainWhenItIsBack) {
  Serve();
  ASSERT_TRUE(Start(Watchful()));
  ExpectServed();
  Vanish();
  ASSERT_TRUE(Eventually([&] { return supervisor_->client() == nullptr; }));
  EXPECT_EQ(supervisor_->Status().state, SupervisorState::kRestarting);
  std::future<grpc::Status> waits =
      std::async(std::launch::async, [this] { return Call(); });
  // It is tried again and again.
  EXPECT_TRUE(Eventually([&] { return Generation() > 2; }));
  EXPECT_EQ(waits.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  Serve();
  const grpc::Status served = waits.get();
  EXPECT_TRUE(served.ok()) << served.error_message();
  EXPECT_TRUE(Eventually([&] { return IsReady(*supervisor_); }));
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
}

// Before anybody has missed it.
TEST_F(SupervisorAttachTest, ACallWaitsForTheConnectionThatIsBack) {
  Serve();
  ASSERT_TRUE(Start(QuickPolicy()));
  ExpectServed();
  Vanish();
  // A call that is begun sooner fails with the connection.
  ASSERT_TRUE(Eventually([&] {
    return supervisor_->channel()->GetState(/*try_to_connect=*/false) !=
           GRPC_CHANNEL_READY;
  }));
  std::future<grpc::Status> waits =
      std::async(std::launch::async, [this] { return Call(); });
  EXPECT_EQ(waits.wait_for(std::chrono::milliseconds(200)),
            std::future_status::timeout);
  Serve();
  const grpc::Status served = waits.get();
  EXPECT_TRUE(served.ok()) << served.error_message();
  EXPECT_EQ(Generation(), 1u);
}

TEST_F(SupervisorAttachTest, GivesUpAsOfAProgram) {
  Serve();
  SupervisorOptions policy = Watchful();
  policy.restart.intensity = 1;
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(300);
  supervisor_ = MustStart(SupervisorSource::Attach(target_), policy, options);
  ASSERT_NE(supervisor_, nullptr);
  stub_ = supervisor_->NewStub<Calls>();
  Vanish();
  EXPECT_TRUE(Eventually(
      [&] { return supervisor_->Status().state == SupervisorState::kGaveUp; }));
  ExpectError(supervisor_->Status().last_failure,
              {Reason::kConnect, "generation 2", "start the plugin first"});
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "gave up"))
      << status.error_message();
  // Whoever runs it has seen to it.
  Serve();
  EXPECT_EQ(supervisor_->Restart(), absl::OkStatus());
  ExpectServed();
}

TEST_F(SupervisorAttachTest, SeveralConnectionsToOne) {
  Serve();
  SupervisorOptions policy = Watchful();
  policy.replicas = 2;
  ASSERT_TRUE(Start(policy));
  EXPECT_NE(supervisor_->client(0)->channel(),
            supervisor_->client(1)->channel());
  for (int i = 0; i < 20; ++i) ExpectServed();
  EXPECT_EQ(supervisor_->Restart(), absl::OkStatus());
  EXPECT_EQ(supervisor_->Scale(1), absl::OkStatus());
  ExpectServed();
  EXPECT_EQ(server_->service().begun(), 21);
}

TEST_F(SupervisorAttachTest, IsReplacedByAnother) {
  Serve();
  ASSERT_TRUE(Start(Watchful()));
  ExpectServed();
  const std::string other = NewTarget();
  EXPECT_FALSE(
      supervisor_->Replace(SupervisorSource::Attach("ipv4:nonsense")).ok());
  ExpectServed();
  EXPECT_EQ(server_->service().begun(), 2);
  CallsServer there(other);
  EXPECT_EQ(supervisor_->Replace(SupervisorSource::Attach(other)),
            absl::OkStatus());
  ExpectServed();
  EXPECT_EQ(server_->service().begun(), 2);
  EXPECT_EQ(there.service().begun(), 1);
  // And by a program.
  EXPECT_EQ(supervisor_->Replace(ServerPlugin({})), absl::OkStatus());
  EXPECT_EQ(Ask(*supervisor_, "!pid"), std::to_string(PidOf(*supervisor_)));
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorAttachTest, OneThatDoesNotServeIsNotUsed) {
  const auto owner =
      MustLaunch(ServerPlugin({"--health=not_serving"}), PlainOptions());
  ASSERT_NE(owner, nullptr);
  const auto supervisor =
      MustStart(SupervisorSource::Attach("unix:" + owner->endpoint().address),
                Watchful());
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kDegraded);
  EXPECT_EQ(supervisor->client(), nullptr);
  absl::SleepFor(absl::Seconds(1));
  EXPECT_EQ(supervisor->Status().replicas[0].generation, 1u);
}

}  // namespace
}  // namespace goplugin::testing
