// Calls of a supervised plugin that find no process: how they wait, what they
// are told, and what they start.

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/integration/supervised_calls.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using grpc::StatusCode;

class SupervisorWaitingTest : public HarnessTest {
 protected:
  bool Start(SupervisorOptions policy, std::vector<std::string> flags = {}) {
    if (policy.prepare == nullptr) policy.prepare = gate_.Prepare();
    supervisor_ = MustStart(ServerPlugin(std::move(flags)), std::move(policy));
    if (supervisor_ == nullptr) return false;
    kv_ = supervisor_->NewStub<proto::KV>();
    return true;
  }
  // No process, until the gate opens.
  void TakeAway() {
    gate_.Close();
    KillSeen(*supervisor_);
    ASSERT_TRUE(WaitFor(SupervisorState::kRestarting));
  }
  void TearDown() override {
    gate_.Open();
    supervisor_.reset();
    kv_.reset();
    HarnessTest::TearDown();
  }

  bool WaitFor(SupervisorState state) {
    return Eventually([&] { return supervisor_->Status().state == state; });
  }
  static bool IsUnderWay(const std::future<Answer>& answer) {
    return answer.wait_for(std::chrono::milliseconds(300)) ==
           std::future_status::timeout;
  }
  // A call that fails at once, and says so.
  void ExpectRefused(const std::string& part) {
    const Answer answer = AskStub(*kv_, "!pid");
    EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_TRUE(absl::StrContains(answer.status.error_message(), part))
        << "no \"" << part << "\" in " << answer.status.error_message();
    EXPECT_LT(answer.took, kGrace);
  }
  bool IsToldOf(const std::string& part) {
    return Eventually([&] {
      return absl::StrContains(AskStub(*kv_, "!pid").status.error_message(),
                               part);
    });
  }

  Gate gate_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_F(SupervisorWaitingTest, ACallWaitsForTheNextProcess) {
  ASSERT_TRUE(Start(QuickPolicy()));
  TakeAway();
  std::future<Answer> answer = BeginAsking(*kv_, "!pid");
  EXPECT_TRUE(IsUnderWay(answer));
  gate_.Open();
  const Answer got = answer.get();
  EXPECT_TRUE(got.status.ok()) << got.status.error_message();
  EXPECT_EQ(got.value, absl::StrCat(PidOf(*supervisor_)));
}

TEST_F(SupervisorWaitingTest, UntilItsDeadline) {
  ASSERT_TRUE(Start(QuickPolicy()));
  TakeAway();
  Answer answer;
  // On a busy machine gRPC's own timer may be first, which has no reason.
  for (int tries = 0; tries < 20; ++tries) {
    answer = AskStub(*kv_, "!pid", absl::Milliseconds(400));
    EXPECT_EQ(answer.status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    if (absl::StrContains(answer.status.error_message(), "restarting")) break;
  }
  EXPECT_TRUE(absl::StrContains(answer.status.error_message(), "generation 1"))
      << answer.status.error_message();
  EXPECT_GE(answer.took, absl::Milliseconds(350));
  EXPECT_LT(answer.took, kGrace);
}

TEST_F(SupervisorWaitingTest, UntilItIsCancelled) {
  ASSERT_TRUE(Start(QuickPolicy()));
  TakeAway();
  grpc::ClientContext context;
  std::future<Answer> answer = std::async(
      std::launch::async, [&] { return AskStub(*kv_, "!pid", context); });
  EXPECT_TRUE(IsUnderWay(answer));
  context.TryCancel();
  EXPECT_EQ(answer.get().status.error_code(), StatusCode::CANCELLED);
}

TEST_F(SupervisorWaitingTest, NotMoreThanMaxWaiting) {
  SupervisorOptions policy = QuickPolicy();
  policy.max_waiting = 2;
  ASSERT_TRUE(Start(policy));
  TakeAway();
  std::future<Answer> one = BeginAsking(*kv_, "!pid");
  std::future<Answer> two = BeginAsking(*kv_, "!pid");
  EXPECT_TRUE(IsUnderWay(one));
  EXPECT_TRUE(IsUnderWay(two));
  const Answer third = AskStub(*kv_, "!pid");
  EXPECT_EQ(third.status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(absl::StrContains(third.status.error_message(), "more than 2"))
      << third.status.error_message();
  gate_.Open();
  EXPECT_TRUE(one.get().status.ok());
  EXPECT_TRUE(two.get().status.ok());
}

TEST_F(SupervisorWaitingTest, UntilTheBreakerOpens) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 1;
  policy.prepare_timeout = absl::Seconds(2);
  ASSERT_TRUE(Start(policy));
  TakeAway();
  // The second one is not prepared in time.
  const Answer answer = AskStub(*kv_, "!pid");
  EXPECT_EQ(answer.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(answer.status.error_message(), "gave up"))
      << answer.status.error_message();
  EXPECT_TRUE(absl::StrContains(answer.status.error_message(), "not prepared"))
      << answer.status.error_message();
  ExpectRefused("not prepared");
}

TEST_F(SupervisorWaitingTest, UntilTheSupervisorEnds) {
  ASSERT_TRUE(Start(QuickPolicy()));
  TakeAway();
  std::future<Answer> answer = BeginAsking(*kv_, "!pid");
  EXPECT_TRUE(IsUnderWay(answer));
  supervisor_.reset();
  EXPECT_EQ(answer.get().status.error_code(), StatusCode::UNAVAILABLE);
  ExpectRefused("shut down");
}

TEST_F(SupervisorWaitingTest, ByCompletionQueuesAndCallbacksToo) {
  ASSERT_TRUE(Start(QuickPolicy()));
  TakeAway();
  proto::GetRequest request;
  request.set_key("!pid");
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  proto::GetResponse response;
  grpc::Status status;
  const auto reader = kv_->AsyncGet(&context, request, &queue);
  reader->Finish(&response, &status, &status);
  grpc::ClientContext other_context;
  proto::GetResponse other_response;
  std::promise<grpc::Status> done;
  std::future<grpc::Status> other_status = done.get_future();
  kv_->async()->Get(
      &other_context, &request, &other_response,
      [&done](grpc::Status told) { done.set_value(std::move(told)); });
  void* tag = nullptr;
  bool ok = false;
  EXPECT_EQ(queue.AsyncNext(&tag, &ok,
                            std::chrono::system_clock::now() +
                                std::chrono::milliseconds(300)),
            grpc::CompletionQueue::TIMEOUT);
  EXPECT_EQ(other_status.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  gate_.Open();
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(other_status.get().ok());
  EXPECT_EQ(response.value(), absl::StrCat(PidOf(*supervisor_)));
  EXPECT_EQ(other_response.value(), response.value());
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST_F(SupervisorWaitingTest, WithFailNoneWaits) {
  SupervisorOptions policy = QuickPolicy();
  policy.unavailable = Unavailable::kFail;
  ASSERT_TRUE(Start(policy));
  TakeAway();
  EXPECT_TRUE(IsToldOf("(restarting)"));
  ExpectRefused("replica 0, generation 1");
  // Whether the caller is ready to wait or not.
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  EXPECT_EQ(AskStub(*kv_, "!pid", context).status.error_code(),
            StatusCode::UNAVAILABLE);
  gate_.Open();
  ASSERT_TRUE(WaitFor(SupervisorState::kReady));
  EXPECT_TRUE(Eventually([&] { return AskStub(*kv_, "!pid").status.ok(); }));
}

TEST_F(SupervisorWaitingTest, TheErrorSaysTheLastFailure) {
  SupervisorOptions policy = QuickPolicy();
  policy.unavailable = Unavailable::kFail;
  policy.restart.initial = policy.restart.max = absl::Milliseconds(100);
  const auto starts = std::make_shared<std::atomic<int>>(0);
  policy.prepare = [starts](Client&, std::chrono::system_clock::time_point) {
    if (++*starts == 1) return absl::OkStatus();
    return absl::InternalError(*starts == 2 ? "not yet" : "still not");
  };
  ASSERT_TRUE(Start(policy));
  KillSeen(*supervisor_);
  // The state is the same all the time.
  EXPECT_TRUE(IsToldOf("still not"));
}

TEST_F(SupervisorWaitingTest, AnOpenBreakerSaysWhy) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 0;
  ASSERT_TRUE(Start(policy));
  EXPECT_EQ(AskStub(*kv_, "!panic:out of cheese").status.error_code(),
            StatusCode::UNAVAILABLE);
  ASSERT_TRUE(WaitFor(SupervisorState::kGaveUp));
  EXPECT_TRUE(IsToldOf("(gave up)"));
  ExpectRefused("out of cheese");
  ExpectError(supervisor_->Explain(AskStub(*kv_, "!pid").status),
              {Reason::kCrashed, "out of cheese", ""});
  // Somebody sees to it.
  EXPECT_EQ(supervisor_->Restart(), absl::OkStatus());
  EXPECT_TRUE(AskStub(*kv_, "!pid").status.ok());
}

TEST_F(SupervisorWaitingTest, TheFirstCallOfALazyOneStartsIt) {
  SupervisorOptions policy = QuickPolicy(2);
  policy.start = StartMode::kLazy;
  ASSERT_TRUE(Start(policy));
  EXPECT_EQ(supervisor_->Status().state, SupervisorState::kStopped);
  EXPECT_EQ(supervisor_->client(), nullptr);
  const Answer answer = AskStub(*kv_, "!pid");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(WaitFor(SupervisorState::kReady));
}

TEST_F(SupervisorWaitingTest, ALazyOneThatCannotStartTellsItsCallers) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.restart.intensity = 1;
  ASSERT_TRUE(Start(policy, {"--core=7"}));
  ExpectRefused("core");
  EXPECT_EQ(supervisor_->Status().state, SupervisorState::kGaveUp);
}

TEST_F(SupervisorWaitingTest, AnIdleOneIsStoppedUntilTheNextCall) {
  SupervisorOptions policy = QuickPolicy();
  policy.idle_timeout = absl::Milliseconds(400);
  ASSERT_TRUE(Start(policy));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = AskStub(*kv_, "!pid");
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    const pid_t pid = std::stoi("0" + answer.value);
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(Eventually([&] { return kill(pid, 0) != 0; }));
    EXPECT_TRUE(WaitFor(SupervisorState::kStopped));
  }
  EXPECT_EQ(supervisor_->Status().replicas[0].restarts, 0);
}

TEST_F(SupervisorWaitingTest, OneWithACallUnderWayIsNotIdle) {
  SupervisorOptions policy = QuickPolicy();
  policy.idle_timeout = absl::Milliseconds(300);
  policy.drain_timeout = absl::Milliseconds(100);
  ASSERT_TRUE(Start(policy));
  const Answer answer = AskStub(*kv_, "!sleep:1500");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_TRUE(WaitFor(SupervisorState::kStopped));
}

}  // namespace
}  // namespace goplugin::testing
