// A stub of a supervised plugin, made once: over what becomes of its processes.

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
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/integration/supervised_calls.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class SupervisorCallsTest : public HarnessTest {
 protected:
  bool Start(SupervisorOptions policy = QuickPolicy(),
             TlsMode tls = TlsMode::kInsecure) {
    ClientOptions options = ShortLadder();
    options.tls.mode = tls;
    supervisor_ =
        MustStart(ServerPlugin({}), std::move(policy), std::move(options));
    if (supervisor_ == nullptr) return false;
    kv_ = supervisor_->NewStub<proto::KV>();
    return true;
  }
  void TearDown() override {
    supervisor_.reset();
    kv_.reset();
    HarnessTest::TearDown();
  }

  // The process that answers the stub; "error: ..." when none does.
  std::string Pid() {
    const Answer answer = AskStub(*kv_, "!pid");
    return answer.status.ok()
               ? answer.value
               : absl::StrCat("error: ", answer.status.error_message());
  }
  // The process that the supervisor has now; "-1" when there is none.
  std::string Now() { return absl::StrCat(PidOf(*supervisor_)); }
  // By the process of now, which a call may have waited for.
  bool IsServed() {
    const std::string answer = Pid();
    return answer == Now();
  }
  bool WaitForCallsUnderWay(int count) {
    return Eventually([&] {
      return supervisor_->Status().replicas[0].calls_under_way == count;
    });
  }

  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_F(SupervisorCallsTest, TheNextCallAfterAKillHasTheNextProcess) {
  ASSERT_TRUE(Start());
  for (int i = 0; i < 5; ++i) {
    const std::string before = Pid();
    EXPECT_EQ(before, Now());
    KillSeen(*supervisor_);
    // At once: it waits for the next one.
    const std::string after = Pid();
    EXPECT_NE(after, before);
    EXPECT_EQ(after, Now());
  }
}

TEST_F(SupervisorCallsTest, OverRestartReplaceAndScale) {
  ASSERT_TRUE(Start());
  std::string before = Pid();
  EXPECT_EQ(supervisor_->Restart(), absl::OkStatus());
  EXPECT_NE(Pid(), before);
  before = Pid();
  EXPECT_EQ(supervisor_->Replace(ServerPlugin({"--lifetime=100"})),
            absl::OkStatus());
  EXPECT_NE(Pid(), before);
  EXPECT_TRUE(
      absl::StrContains(AskStub(*kv_, "!args").value, "--lifetime=100"));
  EXPECT_EQ(supervisor_->Scale(3), absl::OkStatus());
  std::set<std::string> all;
  EXPECT_TRUE(Eventually([&] {
    all.insert(Pid());
    return all.size() == 3;
  }));
  EXPECT_EQ(supervisor_->Scale(1), absl::OkStatus());
  EXPECT_TRUE(
      Eventually([&] { return supervisor_->Status().replicas.size() == 1u; }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(IsServed());
}

TEST_F(SupervisorCallsTest, ACallUnderWayEndsBeforeItsProcessDoes) {
  ASSERT_TRUE(Start());
  std::future<Answer> slow = BeginAsking(*kv_, "!sleep:700");
  ASSERT_TRUE(WaitForCallsUnderWay(1));
  EXPECT_EQ(supervisor_->Replace(ServerPlugin({})), absl::OkStatus());
  EXPECT_EQ(slow.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(slow.get().status.ok());
}

TEST_F(SupervisorCallsTest, ACallUnderWayOnAKilledOneFails) {
  ASSERT_TRUE(Start());
  std::future<Answer> slow = BeginAsking(*kv_, "!sleep:20000");
  ASSERT_TRUE(WaitForCallsUnderWay(1));
  KillSeen(*supervisor_);
  const Answer answer = slow.get();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_LT(answer.took, absl::Seconds(10));
  const absl::Status why = supervisor_->Explain(answer.status);
  EXPECT_TRUE(absl::StrContains(why.message(), "generation 1")) << why;
  EXPECT_TRUE(IsServed());
}

// Between a death and what is told of it.
TEST_F(SupervisorCallsTest, OneThatFindsNoProcessIsNotToldThatThereIsOne) {
  SupervisorOptions policy = QuickPolicy();
  policy.unavailable = Unavailable::kFail;
  ASSERT_TRUE(Start(policy));
  for (int i = 0; i < 5; ++i) {
    const pid_t pid = KillSeen(*supervisor_);
    const Answer answer = AskStub(*kv_, "!pid");
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_TRUE(
        absl::StrContains(answer.status.error_message(), "takes calls (") &&
        !absl::StrContains(answer.status.error_message(), "(ready)"))
        << answer.status.error_message();
    ASSERT_TRUE(ComesBack(*supervisor_, pid));
  }
}

TEST_F(SupervisorCallsTest, ARetrySafeOneIsAnsweredByTheNext) {
  SupervisorOptions policy = QuickPolicy();
  policy.retry_safe_methods = {"/proto.KV/Get"};
  ASSERT_TRUE(Start(policy));
  EXPECT_TRUE(IsServed());
  std::future<Answer> slow = BeginAsking(*kv_, "!sleep:1000");
  ASSERT_TRUE(WaitForCallsUnderWay(1));
  const pid_t pid = KillSeen(*supervisor_);
  const Answer answer = slow.get();
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_GE(answer.took, absl::Seconds(1));
  EXPECT_NE(Pid(), absl::StrCat(pid));
  // Not without end: one that kills each process it comes to.
  const int restarts = supervisor_->Status().replicas[0].restarts;
  EXPECT_EQ(AskStub(*kv_, "!exit:3").status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(IsServed());
  EXPECT_EQ(supervisor_->Status().replicas[0].restarts, restarts + 3);
}

TEST_F(SupervisorCallsTest, OverTlsWaitingAndRetrySafeToo) {
  SupervisorOptions policy = QuickPolicy();
  ASSERT_TRUE(Start(policy, TlsMode::kAutoMtls));
  EXPECT_TRUE(IsServed());
  KillSeen(*supervisor_);
  EXPECT_TRUE(IsServed());
  kv_.reset();
  supervisor_.reset();
  policy.retry_safe_methods = {"/proto.KV/Get"};
  ASSERT_TRUE(Start(policy, TlsMode::kAutoMtls));
  EXPECT_TRUE(IsServed());
  KillSeen(*supervisor_);
  EXPECT_TRUE(IsServed());
}

TEST_F(SupervisorCallsTest, AnAnswerIsTheSameAsOfTheProcessItself) {
  ASSERT_TRUE(Start());
  EXPECT_EQ(AskStub(*kv_, "!big:3000000").value.size(), 3000000u);
  const Answer error = AskStub(*kv_, "!error:500");
  EXPECT_EQ(error.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(error.status.error_message(), std::string(500, 'e'));
  EXPECT_EQ(AskStub(*kv_, "no-such").status.error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(
      AskStub(*kv_, "!sleep:5000", absl::Milliseconds(100)).status.error_code(),
      grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(SupervisorCallsTest, StubsThatOutliveTheSupervisorFail) {
  ASSERT_TRUE(Start());
  EXPECT_TRUE(IsServed());
  supervisor_.reset();
  const Answer answer = AskStub(*kv_, "!pid");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(answer.status.error_message(), "shut down"))
      << answer.status.error_message();
  EXPECT_LT(answer.took, kGrace);
}

TEST_F(SupervisorCallsTest, TheStateOfTheChannelIsTheSupervisors) {
  Gate gate;
  SupervisorOptions policy = QuickPolicy();
  policy.prepare = gate.Prepare();
  ASSERT_TRUE(Start(policy));
  const auto channel = supervisor_->channel();
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  gate.Close();
  KillSeen(*supervisor_);
  EXPECT_NE(channel->GetState(false), GRPC_CHANNEL_READY);
  std::future<bool> connected = std::async(std::launch::async, [&] {
    return channel->WaitForConnected(
        absl::ToChronoTime(absl::Now() + kPatience));
  });
  gate.Open();
  EXPECT_TRUE(connected.get());
  EXPECT_TRUE(IsServed());
}

// One call by a completion queue, and one by a callback, over a kill: what
// waits and what is passed at once.
TEST_F(SupervisorCallsTest, CompletionQueuesOutliveTheProcesses) {
  ASSERT_TRUE(Start());
  grpc::CompletionQueue queue;
  proto::GetRequest request;
  request.set_key("!pid");
  for (int i = 0; i < 4; ++i) {
    if (i % 2 == 1) KillSeen(*supervisor_);
    grpc::ClientContext context;
    proto::GetResponse response;
    grpc::Status status;
    const auto reader = kv_->AsyncGet(&context, request, &queue);
    reader->Finish(&response, &status, &status);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(tag, &status);
    EXPECT_TRUE(ok);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.value(), Now());
  }
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST_F(SupervisorCallsTest, CallbacksOutliveTheProcesses) {
  ASSERT_TRUE(Start());
  proto::GetRequest request;
  request.set_key("!pid");
  for (int i = 0; i < 4; ++i) {
    if (i % 2 == 1) KillSeen(*supervisor_);
    grpc::ClientContext context;
    proto::GetResponse response;
    std::promise<grpc::Status> done;
    kv_->async()->Get(
        &context, &request, &response,
        [&done](grpc::Status status) { done.set_value(std::move(status)); });
    std::future<grpc::Status> status = done.get_future();
    ASSERT_EQ(status.wait_for(absl::ToChronoSeconds(kPatience)),
              std::future_status::ready);
    EXPECT_TRUE(status.get().ok());
    EXPECT_EQ(response.value(), Now());
  }
}

}  // namespace
}  // namespace goplugin::testing
