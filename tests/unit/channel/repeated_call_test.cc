// Calls that are made again when their target dies.
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

PassingOptions RetrySafe() {
  PassingOptions options;
  options.retry_safe_methods = {"/goplugin.testing.Calls/One",
                                "/goplugin.testing.Calls/Split"};
  return options;
}

TEST(RepeatedCallTest, GoesToAnotherTargetWhenItsOwnDies) {
  Plugin first;
  Plugin second;
  Passing passing(RetrySafe());
  passing.router->SetTarget(first.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  first.service().WaitUntilHanging(1);
  first.Die();
  // Until the router knows, there is only the dead one.
  passing.router->WaitForListener();
  passing.router->SetTarget(second.target);
  second.service().WaitUntilHanging(1);
  call.context.TryCancel();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::CANCELLED);
}

TEST(RepeatedCallTest, WaitsForTheNextTargetAsLongAsOthers) {
  Plugin first;
  Plugin second;
  Passing passing(RetrySafe());
  passing.router->SetTarget(first.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  first.service().WaitUntilHanging(1);
  passing.router->SetTarget(nullptr);
  first.Die();
  // Another's deadline is the clock: longer than a router may take to notice.
  AsyncOne other(*passing.stub, MessageOf("x"),
                 In(std::chrono::milliseconds(2200)));
  EXPECT_EQ(other.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  passing.router->SetTarget(second.target);
  second.service().WaitUntilHanging(1);
  call.context.TryCancel();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::CANCELLED);
}

TEST(RepeatedCallTest, EndsWhereTheRouterDoesNotNotice) {
  Plugin plugin;
  Passing passing(RetrySafe());
  passing.router->SetTarget(plugin.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  plugin.service().WaitUntilHanging(1);
  plugin.Die();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
}

TEST(RepeatedCallTest, IsNotMadeForEver) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  for (int i = 0; i < 3; ++i) plugins.push_back(std::make_unique<Plugin>());
  Passing passing(RetrySafe());
  passing.router->SetTarget(plugins[0]->target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  for (int i = 0; i < 3; ++i) {
    plugins[i]->service().WaitUntilHanging(1);
    plugins[i]->Die();
    if (i < 2) passing.router->SetTarget(plugins[i + 1]->target);
  }
  EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
}

TEST(RepeatedCallTest, FailsAsItDidWhereNoTargetFollows) {
  Plugin plugin;
  Passing passing(RetrySafe());
  passing.router->SetTarget(plugin.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  plugin.service().WaitUntilHanging(1);
  passing.router->SetMayWait(false);
  plugin.Die();
  passing.router->WaitForListener();
  passing.router->SetTarget(nullptr);
  const grpc::Status status = call.Wait();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_NE(status.error_message(), "it has crashed");
}

TEST(RepeatedCallTest, NotWhereAnAnswerHasBegun) {
  Plugin first;
  Plugin second;
  Passing passing(RetrySafe());
  passing.router->SetTarget(first.target);
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const auto reader =
      passing.stub->Split(&context, MessageOf("part", "hang-after"));
  Message part;
  ASSERT_TRUE(reader->Read(&part));
  passing.router->SetTarget(second.target);
  first.Die();
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(second.service().begun(), 0);
}

TEST(RepeatedCallTest, OnlyMethodsThatAreNamed) {
  Plugin first;
  Plugin second;
  PassingOptions options;
  options.retry_safe_methods = {"/goplugin.testing.Calls/Split"};
  Passing passing(options);
  passing.router->SetTarget(first.target);
  AsyncOne call(*passing.stub, MessageOf("", "hang"));
  first.service().WaitUntilHanging(1);
  passing.router->SetTarget(second.target);
  first.Die();
  EXPECT_EQ(call.Wait().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(second.service().begun(), 0);
}

}  // namespace
}  // namespace goplugin::internal
