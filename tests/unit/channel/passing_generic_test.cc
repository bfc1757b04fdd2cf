// Stubs that know of no service, on every way: the same results.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/stub_options.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

constexpr char kOne[] = "/goplugin.testing.Calls/One";
constexpr char kTalk[] = "/goplugin.testing.Calls/Talk";

TEST_P(AnyWayTest, GenericStub) {
  grpc::GenericStub stub(channel_);
  const std::string bytes = MessageOf("hello", "", 0).SerializeAsString();
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto check = [&](grpc::ByteBuffer& response) {
    grpc::Slice answer;
    ASSERT_TRUE(response.TrySingleSlice(&answer).ok());
    EXPECT_EQ(std::string(answer.begin(), answer.end()), bytes);
  };
  for (const bool unary : {true, false}) {
    SCOPED_TRACE(unary);
    grpc::ClientContext context;
    Fill(context);
    grpc::ByteBuffer response;
    grpc::Status status;
    const std::string method =
        unary ? "/goplugin.testing.Calls/One" : "/goplugin.testing.Calls/Talk";
    if (unary) {
      const auto call =
          stub.PrepareUnaryCall(&context, method, request, &queue_);
      call->StartCall();
      call->Finish(&response, &status, &status);
      Next(&status);
    } else {
      const auto call = stub.PrepareCall(&context, method, &queue_);
      call->StartCall(&context);
      Next(&context);
      call->Write(request, &context);
      Next(&context);
      call->Read(&response, &context);
      Next(&context);
      call->WritesDone(&context);
      Next(&context);
      call->Finish(&status, &status);
      Next(&status);
    }
    ASSERT_TRUE(status.ok()) << status.error_message();
    check(response);
    ExpectEchoes(context);
  }
}

TEST_P(AnyWayTest, GenericStubCallback) {
  // Of messages in place of bytes, which gRPC has as well.
  grpc::TemplatedGenericStub<Message, Message> stub(channel_);
  grpc::ClientContext context;
  Fill(context);
  const Message request = MessageOf("hello");
  Message response;
  grpc::Status status;
  absl::Notification over;
  stub.UnaryCall(&context, kOne, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status end) {
                   status = std::move(end);
                   over.Notify();
                 });
  over.WaitForNotification();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "hello");
  ExpectEchoes(context);
}

class GenericTalker final : public grpc::ClientBidiReactor<Message, Message> {
 public:
  void Run(grpc::TemplatedGenericStub<Message, Message>& stub,
           grpc::ClientContext& context) {
    stub.PrepareBidiStreamingCall(&context, kTalk, grpc::StubOptions(), this);
    StartWrite(&said_);
    StartRead(&heard);
    StartCall();
    over_.WaitForNotification();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++count;
    StartWritesDone();
    StartRead(&last_);
  }
  void OnDone(const grpc::Status& end) override {
    status = end;
    over_.Notify();
  }

  int count = 0;
  Message heard;
  grpc::Status status;

 private:
  const Message said_ = MessageOf("ping");
  Message last_;
  absl::Notification over_;
};

TEST_P(AnyWayTest, GenericStreamCallback) {
  grpc::TemplatedGenericStub<Message, Message> stub(channel_);
  grpc::ClientContext context;
  Fill(context);
  GenericTalker talker;
  talker.Run(stub, context);
  EXPECT_TRUE(talker.status.ok()) << talker.status.error_message();
  EXPECT_EQ(talker.count, 1);
  EXPECT_EQ(talker.heard.text(), "ping");
  ExpectEchoes(context);
}

}  // namespace
}  // namespace goplugin::internal
