// Ends that are no success, on every way: the same results.
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "absl/synchronization/notification.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

void ExpectAsAsked(const grpc::Status& status) {
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "as was asked");
  EXPECT_EQ(status.error_details(), std::string("with\0details", 12));
}

TEST_P(AnyWayTest, ADeadlineEndsTheCall) {
  grpc::ClientContext context;
  context.set_deadline(In(std::chrono::milliseconds(100)));
  Message response;
  const auto begin = std::chrono::steady_clock::now();
  const grpc::Status status =
      stub_->One(&context, MessageOf("", "hang"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(80));
}

TEST_P(AnyWayTest, ACancellationReachesTheService) {
  AsyncOne call(*stub_, MessageOf("", "hang"));
  plugin_.service().WaitUntilHanging(1);
  call.context.TryCancel();
  EXPECT_EQ(call.Wait().error_code(), grpc::StatusCode::CANCELLED);
  while (plugin_.service().cancelled() == 0) {
  }
}

TEST_P(AnyWayTest, AStreamThatTheServiceEndsEarly) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const auto writer = stub_->Collect(&context, &response);
  writer->Write(MessageOf("", "fail"));
  while (writer->Write(MessageOf("x"))) {
  }
  EXPECT_EQ(writer->Finish().error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_P(AnyWayTest, AStreamThatEndsWhileTheCallerIsSilent) {
  grpc::ClientContext context;
  Fill(context);
  const auto stream = stub_->Talk(&context);
  stream->Write(MessageOf("", "fail"));
  Message answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_P(AnyWayTest, AStreamsErrorHasItsTextAndDetails) {
  grpc::ClientContext context;
  Fill(context);
  Message part;
  const auto reader = stub_->Split(&context, MessageOf("", "fail"));
  EXPECT_FALSE(reader->Read(&part));
  ExpectAsAsked(reader->Finish());
  EXPECT_EQ(context.GetServerTrailingMetadata().count("trailing-echo"), 2u);
}

TEST_P(AnyWayTest, ADeadlineEndsAStreamThatHasBegun) {
  grpc::ClientContext context;
  context.set_deadline(In(std::chrono::milliseconds(1000)));
  Message part;
  const auto reader = stub_->Split(&context, MessageOf("part", "hang-after"));
  EXPECT_TRUE(reader->Read(&part));
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  while (plugin_.service().cancelled() == 0) {
  }
}

TEST_P(AnyWayTest, ACancellationEndsAStreamThatHasBegun) {
  grpc::ClientContext context;
  context.set_deadline(Soon());
  Message part;
  const auto reader = stub_->Split(&context, MessageOf("part", "hang-after"));
  EXPECT_TRUE(reader->Read(&part));
  context.TryCancel();
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (plugin_.service().cancelled() == 0) {
  }
}

TEST_P(AnyWayTest, ACancellationBeforeTheCall) {
  grpc::ClientContext context;
  context.set_deadline(Soon());
  context.TryCancel();
  Message response;
  EXPECT_EQ(stub_->One(&context, MessageOf("hello"), &response).error_code(),
            grpc::StatusCode::CANCELLED);
}

TEST_P(AnyWayTest, ADeadlineThatIsOver) {
  grpc::ClientContext context;
  context.set_deadline(In(std::chrono::milliseconds(-1000)));
  Message response;
  EXPECT_EQ(stub_->One(&context, MessageOf("hello"), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(plugin_.service().begun(), 0);
}

// Its callbacks come, too.
class Hanging final : public grpc::ClientBidiReactor<Message, Message> {
 public:
  void Run(Calls::Stub& stub, grpc::ClientContext& context,
           CallsService& service) {
    stub.async()->Talk(&context, this);
    StartWrite(&said_);
    StartRead(&heard_);
    StartCall();
    service.WaitUntilHanging(1);
    context.TryCancel();
    over_.WaitForNotification();
  }
  void OnReadDone(bool ok) override { EXPECT_FALSE(ok); }
  void OnDone(const grpc::Status& end) override {
    status = end;
    over_.Notify();
  }

  grpc::Status status;

 private:
  const Message said_ = MessageOf("", "hang");
  Message heard_;
  absl::Notification over_;
};

TEST_P(AnyWayTest, ACancellationEndsACallbackStream) {
  grpc::ClientContext context;
  context.set_deadline(Soon());
  Hanging hanging;
  hanging.Run(*stub_, context, plugin_.service());
  EXPECT_EQ(hanging.status.error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace goplugin::internal
