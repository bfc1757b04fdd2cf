// What is known of calls under way, and the connectivity state.
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

using grpc::StatusCode;

TEST(CountTest, ACallIsUnderWayUntilItsStatus) {
  Plugin plugin;
  Passing passing;
  passing.router->SetTarget(plugin.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  EXPECT_EQ(plugin.target->under_way, 1);
  plugin.service().WaitUntilHanging(1);
  call.context.TryCancel();
  call.Wait();
  EXPECT_EQ(plugin.target->under_way, 0);
  // That was this side's own doing.
  EXPECT_EQ(plugin.target->heard, 0u);
}

TEST(CountTest, ACallThatIsNeverBegunGoesWithItsContext) {
  Plugin plugin;
  Passing passing;
  passing.router->SetTarget(plugin.target);
  grpc::CompletionQueue queue;
  {
    grpc::ClientContext context;
    // A unary one would leave its message behind, in gRPC 1.51 itself.
    const auto call = passing.stub->PrepareAsyncTalk(&context, &queue);
    EXPECT_EQ(plugin.target->under_way, 1);
  }
  EXPECT_EQ(plugin.target->under_way, 0);
}

TEST(CountTest, MessagesAndEndsAreHeard) {
  Plugin plugin;
  Passing passing;
  passing.router->SetTarget(plugin.target);
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const auto reader = passing.stub->Split(&context, MessageOf("", "", 2));
  Message part;
  ASSERT_TRUE(reader->Read(&part));
  EXPECT_EQ(plugin.target->heard, 1u);
  ASSERT_TRUE(reader->Read(&part));
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(plugin.target->heard, 2u);
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(plugin.target->heard, 3u);
}

TEST(CountTest, AnEndAsOfABrokenConnectionIsDoubtedUntilSomethingIsHeard) {
  Plugin plugin;
  Passing passing;
  passing.router->SetTarget(plugin.target);
  const auto call = [&](const char* command) {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    Message response;
    return passing.stub->One(&context, MessageOf("", command), &response);
  };
  EXPECT_TRUE(call("").ok());
  EXPECT_FALSE(plugin.target->doubted());
  call("fail");
  EXPECT_FALSE(plugin.target->doubted());
  call("unavailable");
  EXPECT_NE(plugin.target->doubted_at, 0);
  EXPECT_TRUE(call("").ok());
  EXPECT_EQ(plugin.target->doubted_at, 0);
  plugin.Die();
  EXPECT_FALSE(call("").ok());
  EXPECT_NE(plugin.target->doubted_at, 0);
  // For a while.
  while (plugin.target->doubted()) {
  }
}

TEST(StateTest, FollowsTheRouter) {
  Plugin plugin;
  Passing passing;
  EXPECT_EQ(passing.channel->GetState(false), GRPC_CHANNEL_CONNECTING);
  EXPECT_FALSE(passing.channel->WaitForConnected(In({})));
  std::thread waiter(
      [&] { EXPECT_TRUE(passing.channel->WaitForConnected(Soon())); });
  passing.router->WaitForListener();
  passing.router->SetTarget(plugin.target);
  waiter.join();
  EXPECT_EQ(passing.channel->GetState(false), GRPC_CHANNEL_READY);
  passing.router->SetMayWait(false);
  passing.router->SetTarget(nullptr);
  EXPECT_EQ(passing.channel->GetState(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
}

TEST(StateTest, IsToldOnACompletionQueue) {
  Plugin plugin;
  Passing passing;
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  passing.channel->NotifyOnStateChange(GRPC_CHANNEL_CONNECTING, Soon(), &queue,
                                       &plugin);
  passing.router->WaitForListener();
  passing.router->Tell();  // nothing that matters
  passing.router->SetTarget(plugin.target);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, &plugin);
  EXPECT_TRUE(ok);
  passing.channel->NotifyOnStateChange(
      GRPC_CHANNEL_READY, In(std::chrono::milliseconds(50)), &queue, &plugin);
  queue.Shutdown();  // waits for it
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, &plugin);
  EXPECT_FALSE(ok);
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST(StateTest, ManyShortWaitsLeaveOneListener) {
  Passing passing;
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(
        passing.channel->WaitForStateChange(GRPC_CHANNEL_CONNECTING, In({})));
  }
  EXPECT_LE(passing.router->listeners(), 1);
}

}  // namespace
}  // namespace goplugin::internal
