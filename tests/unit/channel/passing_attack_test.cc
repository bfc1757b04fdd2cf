// What may go wrong around a passing channel: a router that changes its mind,
// targets and channels that go in mid-call, calls from gRPC's own threads.
#include <dirent.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/channel/passing_channel.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

using grpc::StatusCode;

// The names of this process's threads.
int ThreadsNamed(const std::string& name) {
  int count = 0;
  DIR* const threads = opendir("/proc/self/task");
  while (const dirent* entry = readdir(threads)) {
    std::ifstream file("/proc/self/task/" + std::string(entry->d_name) +
                       "/comm");
    std::string comm;
    if (std::getline(file, comm) && comm == name) ++count;
  }
  closedir(threads);
  return count;
}

TEST(PassingAttackTest, ARouterThatChangesItsMindUnder64Callers) {
  Plugin plugins[2];
  Passing passing;
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 64; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        grpc::ClientContext context;
        context.set_deadline(Soon());
        Message response;
        const grpc::Status status =
            passing.stub->One(&context, MessageOf("hello"), &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        ++calls;
      }
    });
  }
  for (int i = 0; i < 200 || calls < 2000; ++i) {
    passing.router->SetTarget(i % 3 == 2 ? nullptr : plugins[i % 3].target);
    std::this_thread::yield();
  }
  stop = true;
  passing.router->SetTarget(plugins[0].target);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(plugins[0].target->under_way, 0);
  EXPECT_EQ(plugins[1].target->under_way, 0);
}

TEST(PassingAttackTest, ATargetThatGoesInMidCall) {
  for (const bool all_wait : {false, true}) {
    Passing passing({}, all_wait);
    auto plugin = std::make_unique<Plugin>();
    passing.router->SetTarget(plugin->target);
    AsyncOne call(*passing.stub, MessageOf("", "hang"));
    plugin->service().WaitUntilHanging(1);
    passing.router->SetTarget(nullptr);
    plugin.reset();  // its last owner but the call
    EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
  }
}

TEST(PassingAttackTest, TheChannelGoesWithCallsOfEachKindUnderWay) {
  Plugin plugin;
  auto passing = std::make_unique<Passing>();
  AsyncOne waits(*passing->stub, MessageOf("waits"));
  passing->router->WaitForListener();
  const std::shared_ptr<FakeRouter> router = passing->router;
  const std::shared_ptr<CallRelay> relay = passing->relay;
  passing.reset();
  // As with a raw channel: the call goes on.
  router->SetTarget(plugin.target);
  EXPECT_TRUE(waits.Wait().ok()) << waits.Wait().error_message();
}

TEST(PassingAttackTest, TheRelayGoesWithCallsInIt) {
  Plugin plugin;
  auto passing = std::make_unique<Passing>();
  AsyncOne waits(*passing->stub, MessageOf("waits"));
  passing->router->WaitForListener();
  const std::shared_ptr<FakeRouter> router = passing->router;
  passing.reset();
  EXPECT_FALSE(waits.Wait().ok());
  router->SetTarget(plugin.target);  // nobody is there any more

  passing = std::make_unique<Passing>(PassingOptions(), /*all_wait=*/true);
  passing->router->SetTarget(plugin.target);
  AsyncOne hangs(*passing->stub, MessageOf("", "hang"));
  plugin.service().WaitUntilHanging(1);
  passing.reset();
  EXPECT_FALSE(hangs.Wait().ok());
  EXPECT_EQ(plugin.target->under_way, 0);
}

// The relay's thread may hear of a call after its caller has given up.
TEST(PassingAttackTest, TheRelayGoesWhileCallsArrive) {
  for (int i = 0; i < 100; ++i) {
    Passing passing;
    grpc::ClientContext context;
    context.set_deadline(In(std::chrono::milliseconds(-1)));
    Message response;
    EXPECT_EQ(
        passing.stub->One(&context, MessageOf("late"), &response).error_code(),
        StatusCode::DEADLINE_EXCEEDED);
  }
}

TEST(PassingAttackTest, ACallThatIsPreparedBeforeTheRelayGoesAndBegunAfter) {
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  Message response;
  grpc::Status status;
  auto passing = std::make_unique<Passing>();
  const auto call =
      passing->stub->PrepareAsyncOne(&context, MessageOf("late"), &queue);
  passing.reset();
  call->StartCall();
  call->Finish(&response, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST(PassingAttackTest, ACallbackCallOutlivesTheChannel) {
  for (const bool all_wait : {false, true}) {
    Plugin plugin;
    auto passing = std::make_unique<Passing>(PassingOptions(), all_wait);
    const std::shared_ptr<CallRelay> relay = passing->relay;
    passing->router->SetTarget(plugin.target);
    grpc::ClientContext context;
    const Message request = MessageOf("", "hang");
    Message response;
    absl::Notification over;
    passing->stub->async()->One(
        &context, &request, &response,
        [&](const grpc::Status& /*status*/) { over.Notify(); });
    plugin.service().WaitUntilHanging(1);
    passing.reset();
    context.TryCancel();
    over.WaitForNotification();
  }
}

bool MakeInnerCall(Calls::Stub& stub) {
  grpc::ClientContext context;
  context.set_deadline(Soon());
  Message response;
  return stub.One(&context, MessageOf("inner"), &response).ok();
}

// All of gRPC's callback threads may be in such a callback: it has two here in
// 1.51. Today's makes one more a second for those that block, raw channel or
// not.
TEST(PassingAttackTest, BlockingCallsFromCallbacks) {
  constexpr int kCalls = 4;
  Plugin plugin;
  Passing passing({}, /*all_wait=*/true);
  passing.router->SetTarget(plugin.target);
  struct Call {
    grpc::ClientContext context;
    Message request = MessageOf("outer");
    Message response;
  };
  std::vector<Call> calls(kCalls);
  std::atomic<int> failed{0};
  absl::BlockingCounter over(kCalls);
  for (Call& call : calls) {
    call.context.set_deadline(Soon());
    passing.stub->async()->One(
        &call.context, &call.request, &call.response,
        [&](const grpc::Status& status) {
          // All of it before the count: gRPC 1.51 does not bear that a
          // channel's last owner, a context that is left, goes on a callback
          // thread.
          if (!status.ok() || !MakeInnerCall(*passing.stub)) ++failed;
          over.DecrementCount();
        });
  }
  over.Wait();
  EXPECT_EQ(failed, 0);
}

TEST(PassingAttackTest, OneThreadForManyAndNoneAfterThem) {
  EXPECT_EQ(ThreadsNamed("goplugin-relay"), 0);
  {
    Plugin plugin;
    const auto relay = std::make_shared<CallRelay>();
    const auto router = std::make_shared<FakeRouter>(true);
    router->SetTarget(plugin.target);
    for (int i = 0; i < 20; ++i) {
      const auto stub = Calls::NewStub(
          std::make_shared<PassingChannel>(router, relay, PassingOptions()));
      EXPECT_TRUE(AsyncOne(*stub, MessageOf("x")).Wait().ok());
    }
    EXPECT_EQ(ThreadsNamed("goplugin-relay"), 1);
  }
  EXPECT_EQ(ThreadsNamed("goplugin-relay"), 0);
}

TEST(PassingAttackTest, NoRelayWithoutACallThatNeedsIt) {
  Plugin plugin;
  Passing passing;
  passing.router->SetTarget(plugin.target);
  EXPECT_TRUE(AsyncOne(*passing.stub, MessageOf("x")).Wait().ok());
  EXPECT_EQ(ThreadsNamed("goplugin-relay"), 0);
}

// Whether it arrives at the relay is a race that the relay's end is in, too.
TEST(PassingAttackTest, TheRelayGoesAfterACallThatIsCancelledAtOnce) {
  Plugin plugin;
  for (int i = 0; i < 100; ++i) {
    Passing passing({}, /*all_wait=*/true);
    passing.router->SetTarget(plugin.target);
    grpc::ClientContext context;
    context.TryCancel();
    Message response;
    EXPECT_EQ(
        passing.stub->One(&context, MessageOf("hello"), &response).error_code(),
        grpc::StatusCode::CANCELLED);
  }
}

}  // namespace
}  // namespace goplugin::internal
