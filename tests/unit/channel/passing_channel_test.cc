// The same calls on every way that a program of them has: the same results.
// Streams: passing_streams_test.cc; ends that are none of success:
// passing_ends_test.cc; generic stubs: passing_generic_test.cc.
#include "goplugin/internal/channel/passing_channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

TEST_P(AnyWayTest, Unary) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const grpc::Status status =
      stub_->One(&context, MessageOf("hello"), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "hello");
  ExpectEchoes(context);
  EXPECT_GT(plugin_.service().time_left(), std::chrono::seconds(30));
  EXPECT_LT(plugin_.service().time_left(), std::chrono::seconds(61));
}

TEST_P(AnyWayTest, UnaryAsync) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  grpc::Status status;
  const auto reader = stub_->AsyncOne(&context, MessageOf("hello"), &queue_);
  reader->ReadInitialMetadata(&context);
  Next(&context);
  ExpectEchoes(context.GetServerInitialMetadata(), "initial");
  reader->Finish(&response, &status, &response);
  Next(&response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "hello");
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, UnaryCallback) {
  grpc::ClientContext context;
  Fill(context);
  const Message request = MessageOf("hello");
  Message response;
  grpc::Status status;
  absl::Notification over;
  stub_->async()->One(&context, &request, &response, [&](grpc::Status end) {
    status = std::move(end);
    over.Notify();
  });
  over.WaitForNotification();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "hello");
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, AnErrorHasItsTextAndDetails) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const grpc::Status status =
      stub_->One(&context, MessageOf("", "fail"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "as was asked");
  EXPECT_EQ(status.error_details(), std::string("with\0details", 12));
  const Metadata& trailing = context.GetServerTrailingMetadata();
  EXPECT_EQ(trailing.count("trailing-echo"), 2u);
  EXPECT_EQ(trailing.count("grpc-status-details-bin"), 1u);
}

TEST_P(AnyWayTest, TheServicesOwnUnavailableIsPassedOn) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const grpc::Status status =
      stub_->One(&context, MessageOf("", "unavailable"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the service says so");
  EXPECT_EQ(plugin_.service().begun(), 1);
}

TEST_P(AnyWayTest, BigMessages) {
  const std::string big(64 << 20, 'x');
  grpc::ClientContext context;
  context.set_deadline(Soon());
  Message response;
  const grpc::Status status = stub_->One(&context, MessageOf(big), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response.text() == big);
}

TEST_P(AnyWayTest, CompressedMessages) {
  const std::string text(1 << 20, 'x');
  grpc::ClientContext context;
  context.set_deadline(Soon());
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  Message response;
  const grpc::Status status =
      stub_->One(&context, MessageOf(text, "compress"), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response.text() == text);
}

TEST_P(AnyWayTest, WaitForReadyIsNoMatterWhereThereIsAPlugin) {
  grpc::ClientContext context;
  Fill(context);
  context.set_wait_for_ready(true);
  Message response;
  const grpc::Status status =
      stub_->One(&context, MessageOf("hello"), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "hello");
  ExpectEchoes(context);
}

// Counts what it sees, and adds metadata as one that authorises calls does.
class Authorising final : public grpc::experimental::Interceptor {
 public:
  explicit Authorising(std::atomic<int>* ends) : ends_(ends) {}
  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("echo-token", "secret");
    }
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::POST_RECV_STATUS)) {
      ++*ends_;
    }
    methods->Proceed();
  }

 private:
  std::atomic<int>* const ends_;
};

class AuthorisingFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AuthorisingFactory(std::atomic<int>* ends) : ends_(ends) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    // The SDK's own calls have them, too.
    if (info->method() != std::string("/goplugin.testing.Calls/One")) {
      return nullptr;
    }
    EXPECT_EQ(info->type(), grpc::experimental::ClientRpcInfo::Type::UNARY);
    return new Authorising(ends_);
  }

 private:
  std::atomic<int>* const ends_;
};

TEST_P(AnyWayTest, TheUsersInterceptorsRunOnce) {
  std::atomic<int> ends{0};
  const Plugin plugin([&ends] {
    InterceptorFactories interceptors;
    interceptors.push_back(std::make_unique<AuthorisingFactory>(&ends));
    return interceptors;
  });
  Use(plugin);
  grpc::ClientContext context;
  context.set_deadline(Soon());
  Message response;
  ASSERT_TRUE(stub_->One(&context, MessageOf("hello"), &response).ok());
  EXPECT_EQ(context.GetServerInitialMetadata().count("initial-echo-token"), 1u);
  EXPECT_EQ(ends, 1);
  Leave();
}

}  // namespace
}  // namespace goplugin::internal
