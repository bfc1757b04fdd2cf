// Calls that find no target: how they wait, and end.
#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "goplugin/internal/channel/relay_desk.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

using grpc::StatusCode;

TEST(WaitingCallTest, GoesToTheNextTarget) {
  Plugin plugin;
  Passing passing;
  AsyncOne call(*passing.stub, MessageOf("hello"));
  passing.router->WaitForListener();
  EXPECT_EQ(plugin.target->under_way, 0);
  passing.router->SetTarget(plugin.target);
  EXPECT_TRUE(call.Wait().ok()) << call.Wait().error_message();
  EXPECT_EQ(call.response.text(), "hello");
  // A message and a status.
  EXPECT_EQ(plugin.target->heard, 2u);
}

TEST(WaitingCallTest, StaysWhereAChangeBringsNone) {
  Plugin plugin;
  Passing passing;
  AsyncOne call(*passing.stub, MessageOf("hello"));
  for (int i = 0; i < 10; ++i) {
    passing.router->WaitForListener();
    passing.router->Tell();
  }
  passing.router->SetTarget(plugin.target);
  EXPECT_TRUE(call.Wait().ok());
}

TEST(WaitingCallTest, IsToldWhyItWaitedUntilItsDeadline) {
  Passing passing;
  std::string text;
  // On a busy machine gRPC's own timer may be first, which has no reason.
  for (int tries = 0; tries < 50 && text.size() < 20; ++tries) {
    const auto begin = std::chrono::steady_clock::now();
    AsyncOne call(*passing.stub, MessageOf("hello"),
                  In(std::chrono::milliseconds(200)));
    const grpc::Status status = call.Wait();
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    EXPECT_GE(std::chrono::steady_clock::now() - begin,
              std::chrono::milliseconds(170));
    text = status.error_message();
  }
  EXPECT_EQ(text,
            "the call waited for a plugin process until its deadline: it has "
            "crashed");
}

// gRPC's timer goes off on one thread while the call ends on another.
TEST(WaitingCallTest, ManyThatEndAsTheirPatienceDoes) {
  constexpr int kRounds = 60;
  constexpr int kCalls = 60;
  Passing passing;
  for (int round = 0; round < kRounds; ++round) {
    // A tenth of the time before the deadline its patience ends.
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::unique_ptr<AsyncOne>> calls;
    for (int i = 0; i < kCalls; ++i) {
      calls.push_back(
          std::make_unique<AsyncOne>(*passing.stub, MessageOf("hello"),
                                     In(std::chrono::milliseconds(40))));
    }
    std::this_thread::sleep_until(begin + std::chrono::milliseconds(35) +
                                  std::chrono::microseconds(50 * round));
    for (const auto& call : calls) {
      call->context.TryCancel();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    for (const auto& call : calls) {
      const StatusCode code = call->Wait().error_code();
      EXPECT_TRUE(code == StatusCode::CANCELLED ||
                  code == StatusCode::DEADLINE_EXCEEDED)
          << code;
    }
  }
}

// Hosts that are proxies hand on what they get.
TEST(WaitingCallTest, MetadataCannotStandForAnotherCallsTicket) {
  Plugin plugin;
  Passing passing;
  AsyncOne hangs(*passing.stub, MessageOf("", "hang"));
  passing.router->WaitForListener();
  for (int name = 0; name < 4; ++name) {
    grpc::ClientContext context;
    context.AddMetadata(RelayDesk::kTicketKey, std::to_string(name));
    context.AddMetadata(RelayDesk::kTicketKey, "none");
    Message response;
    grpc::CompletionQueue queue;
    grpc::Status status;
    const auto call =
        passing.stub->AsyncOne(&context, MessageOf("mine"), &queue);
    call->Finish(&response, &status, nullptr);
    passing.router->SetTarget(plugin.target);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.text(), "mine");
    passing.router->SetTarget(nullptr);
  }
  plugin.service().WaitUntilHanging(1);
}

TEST(WaitingCallTest, WaitsWithDeadlinesOfAllKinds) {
  Plugin plugin;
  gpr_timespec in_300_years = gpr_now(GPR_CLOCK_REALTIME);
  in_300_years.tv_sec += std::int64_t{300} * 366 * 24 * 3600;
  gpr_timespec almost_never = gpr_inf_future(GPR_CLOCK_REALTIME);
  almost_never.tv_sec -= 1;
  const gpr_timespec deadlines[] = {
      in_300_years,
      almost_never,
      gpr_inf_future(GPR_CLOCK_REALTIME),
      gpr_inf_future(GPR_CLOCK_MONOTONIC),
      gpr_time_from_seconds(60, GPR_TIMESPAN),
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_seconds(60, GPR_TIMESPAN))};
  for (const gpr_timespec& deadline : deadlines) {
    Passing passing;
    AsyncOne call(*passing.stub, MessageOf("hello"), deadline);
    passing.router->WaitForListener();
    passing.router->SetTarget(plugin.target);
    EXPECT_TRUE(call.Wait().ok())
        << deadline.tv_sec << ", " << deadline.clock_type << ": "
        << call.Wait().error_message();
  }
}

TEST(WaitingCallTest, WhoseTimeIsOverFailsAtOnce) {
  Passing passing;
  const gpr_timespec deadlines[] = {gpr_inf_past(GPR_CLOCK_REALTIME),
                                    gpr_time_0(GPR_CLOCK_REALTIME),
                                    gpr_time_from_seconds(-5, GPR_TIMESPAN),
                                    gpr_inf_past(GPR_CLOCK_MONOTONIC)};
  for (const gpr_timespec& deadline : deadlines) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    Message response;
    EXPECT_EQ(
        passing.stub->One(&context, MessageOf("hello"), &response).error_code(),
        StatusCode::DEADLINE_EXCEEDED);
  }
}

TEST(WaitingCallTest, OneThatIsCancelledBeforeItBegins) {
  Passing passing;
  grpc::ClientContext context;
  context.TryCancel();
  Message response;
  EXPECT_EQ(
      passing.stub->One(&context, MessageOf("hello"), &response).error_code(),
      StatusCode::CANCELLED);
}

TEST(WaitingCallTest, IsCancelled) {
  Passing passing;
  AsyncOne call(*passing.stub, MessageOf("hello"));
  passing.router->WaitForListener();
  call.context.TryCancel();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::CANCELLED);
}

TEST(WaitingCallTest, EndsWhenTheRouterLetsNobodyWait) {
  Passing passing;
  AsyncOne one(*passing.stub, MessageOf("hello"));
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const auto talk = passing.stub->Talk(&context);
  passing.router->WaitForListener();
  passing.router->SetMayWait(false);
  EXPECT_EQ(one.Wait().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(one.Wait().error_message(), "it has crashed");
  const grpc::Status status = talk->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "it has crashed");
}

TEST(WaitingCallTest, FailsAtOnceWhereItMayNot) {
  Passing passing;
  passing.router->SetMayWait(false);
  for (const bool wait_for_ready : {false, true}) {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    context.set_wait_for_ready(wait_for_ready);
    Message response;
    const grpc::Status status =
        passing.stub->One(&context, MessageOf("hello"), &response);
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "it has crashed");
  }
  EXPECT_EQ(AsyncOne(*passing.stub, MessageOf("")).Wait().error_message(),
            "it has crashed");
  grpc::ClientContext context;
  const Message request;
  Message response;
  absl::Notification over;
  passing.stub->async()->One(
      &context, &request, &response, [&](const grpc::Status& status) {
        EXPECT_EQ(status.error_message(), "it has crashed");
        over.Notify();
      });
  over.WaitForNotification();
}

TEST(WaitingCallTest, OneTooManyFails) {
  Plugin plugin;
  PassingOptions options;
  options.max_waiting = 2;
  Passing passing(options);
  AsyncOne first(*passing.stub, MessageOf("1"));
  AsyncOne second(*passing.stub, MessageOf("2"));
  // The two may arrive in any order with the third: one of three fails.
  AsyncOne third(*passing.stub, MessageOf("3"),
                 In(std::chrono::milliseconds(500)));
  AsyncOne* const calls[] = {&first, &second, &third};
  int refused = 0;
  passing.router->WaitForListener();
  const grpc::Status status = third.Wait();
  if (status.error_code() == StatusCode::RESOURCE_EXHAUSTED) {
    ++refused;
    EXPECT_EQ(status.error_message(),
              "the call would be one of more than 2 that wait for a plugin "
              "process: it has crashed");
  }
  passing.router->SetTarget(plugin.target);
  for (AsyncOne* call : calls) {
    if (call == &third) continue;
    if (call->Wait().error_code() == StatusCode::RESOURCE_EXHAUSTED) ++refused;
  }
  EXPECT_EQ(refused, 1);
}

TEST(WaitingCallTest, RoomIsGivenBack) {
  PassingOptions options;
  options.max_waiting = 1;
  Passing passing(options);
  for (int i = 0; i < 5; ++i) {
    // The relay hears of a call's end a moment after its caller.
    grpc::Status status(StatusCode::RESOURCE_EXHAUSTED, "");
    for (int tries = 0;
         tries < 1000 && status.error_code() == StatusCode::RESOURCE_EXHAUSTED;
         ++tries) {
      status = AsyncOne(*passing.stub, MessageOf("x"),
                        In(std::chrono::milliseconds(20)))
                   .Wait();
    }
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  }
}

TEST(WaitingCallTest, FailsWithItsTarget) {
  Plugin plugin;
  Passing passing({}, /*all_wait=*/true);
  passing.router->SetTarget(plugin.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  plugin.service().WaitUntilHanging(1);
  EXPECT_EQ(plugin.target->under_way, 1);
  plugin.Die();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(plugin.target->under_way, 0);
  EXPECT_EQ(plugin.target->heard, 0u);
}

}  // namespace
}  // namespace goplugin::internal
