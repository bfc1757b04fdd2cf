// Streams on every way: the same results.
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/synchronization/notification.h"
#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls.pb.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

TEST_P(AnyWayTest, ServerStreaming) {
  grpc::ClientContext context;
  Fill(context);
  const auto reader = stub_->Split(&context, MessageOf("part", "", 100));
  Message part;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(reader->Read(&part));
    EXPECT_EQ(part.text(), "part");
    EXPECT_EQ(part.times(), i);
  }
  EXPECT_FALSE(reader->Read(&part));
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, ServerStreamingAsync) {
  grpc::ClientContext context;
  Fill(context);
  Message part;
  const auto reader =
      stub_->AsyncSplit(&context, MessageOf("part", "", 3), &queue_, &context);
  Next(&context);
  for (int i = 0; i < 3; ++i) {
    reader->Read(&part, &part);
    Next(&part);
    EXPECT_EQ(part.times(), i);
  }
  reader->Read(&part, &part);
  Next(&part, false);
  grpc::Status status;
  reader->Finish(&status, &status);
  Next(&status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  ExpectEchoes(context);
}

class CountingReader final : public grpc::ClientReadReactor<Message> {
 public:
  void Run(Calls::Stub& stub, grpc::ClientContext& context,
           const Message& request) {
    stub.async()->Split(&context, &request, this);
    StartRead(&part_);
    StartCall();
    over_.WaitForNotification();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    ++count;
    StartRead(&part_);
  }
  void OnDone(const grpc::Status& end) override {
    status = end;
    over_.Notify();
  }

  int count = 0;
  grpc::Status status;

 private:
  Message part_;
  absl::Notification over_;
};

TEST_P(AnyWayTest, ServerStreamingCallback) {
  grpc::ClientContext context;
  Fill(context);
  const Message request = MessageOf("part", "", 100);
  CountingReader reader;
  reader.Run(*stub_, context, request);
  EXPECT_TRUE(reader.status.ok()) << reader.status.error_message();
  EXPECT_EQ(reader.count, 100);
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, ClientStreaming) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const auto writer = stub_->Collect(&context, &response);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(writer->Write(MessageOf("x")));
  EXPECT_TRUE(writer->WritesDone());
  const grpc::Status status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.times(), 100);
  EXPECT_EQ(response.text(), std::string(100, 'x'));
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, ClientStreamingAsyncWithTheLastMessageMarked) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const auto writer =
      stub_->AsyncCollect(&context, &response, &queue_, &context);
  Next(&context);
  writer->Write(MessageOf("x"), writer.get());
  Next(writer.get());
  writer->WriteLast(MessageOf("y"), grpc::WriteOptions(), writer.get());
  Next(writer.get());
  grpc::Status status;
  writer->Finish(&status, &status);
  Next(&status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.text(), "xy");
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, ClientStreamingWithoutAMessage) {
  grpc::ClientContext context;
  Fill(context);
  Message response;
  const auto writer = stub_->Collect(&context, &response);
  EXPECT_TRUE(writer->WritesDone());
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.times(), 0);
}

class CountingWriter final : public grpc::ClientWriteReactor<Message> {
 public:
  void Run(Calls::Stub& stub, grpc::ClientContext& context) {
    stub.async()->Collect(&context, &response, this);
    StartWrite(&part_);
    StartCall();
    over_.WaitForNotification();
  }
  void OnWriteDone(bool ok) override {
    EXPECT_TRUE(ok);
    if (++count_ < 100) return StartWrite(&part_);
    StartWritesDone();
  }
  void OnDone(const grpc::Status& end) override {
    status = end;
    over_.Notify();
  }

  Message response;
  grpc::Status status;

 private:
  const Message part_ = MessageOf("x");
  int count_ = 0;
  absl::Notification over_;
};

TEST_P(AnyWayTest, ClientStreamingCallback) {
  grpc::ClientContext context;
  Fill(context);
  CountingWriter writer;
  writer.Run(*stub_, context);
  EXPECT_TRUE(writer.status.ok()) << writer.status.error_message();
  EXPECT_EQ(writer.response.times(), 100);
  EXPECT_EQ(writer.response.text(), std::string(100, 'x'));
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, BothStreaming) {
  grpc::ClientContext context;
  Fill(context);
  const auto stream = stub_->Talk(&context);
  stream->WaitForInitialMetadata();
  ExpectEchoes(context.GetServerInitialMetadata(), "initial");
  Message answer;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(stream->Write(MessageOf("ping", "", i)));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.times(), i);
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
  ExpectEchoes(context);
}

TEST_P(AnyWayTest, BothStreamingAsync) {
  grpc::ClientContext context;
  Fill(context);
  Message answer;
  const auto stream = stub_->AsyncTalk(&context, &queue_, &context);
  Next(&context);
  for (int i = 0; i < 3; ++i) {
    stream->Write(MessageOf("ping", "", i), stream.get());
    Next(stream.get());
    stream->Read(&answer, &answer);
    Next(&answer);
    EXPECT_EQ(answer.times(), i);
  }
  stream->WritesDone(stream.get());
  Next(stream.get());
  stream->Read(&answer, &answer);
  Next(&answer, false);
  grpc::Status status;
  stream->Finish(&status, &status);
  Next(&status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  ExpectEchoes(context);
}

// In turns: one write, one read.
class Talker final : public grpc::ClientBidiReactor<Message, Message> {
 public:
  void Run(Calls::Stub& stub, grpc::ClientContext& context) {
    stub.async()->Talk(&context, this);
    StartWrite(&said_);
    StartCall();
    over_.WaitForNotification();
  }
  void OnWriteDone(bool /*ok*/) override { StartRead(&heard_); }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (++count < 100) return StartWrite(&said_);
    StartWritesDone();
  }
  void OnWritesDoneDone(bool /*ok*/) override { StartRead(&heard_); }
  void OnDone(const grpc::Status& end) override {
    status = end;
    over_.Notify();
  }

  int count = 0;
  grpc::Status status;

 private:
  Message said_ = MessageOf("ping");
  Message heard_;
  absl::Notification over_;
};

TEST_P(AnyWayTest, BothStreamingCallback) {
  grpc::ClientContext context;
  Fill(context);
  Talker talker;
  talker.Run(*stub_, context);
  EXPECT_TRUE(talker.status.ok()) << talker.status.error_message();
  EXPECT_EQ(talker.count, 100);
  ExpectEchoes(context);
}

}  // namespace
}  // namespace goplugin::internal
