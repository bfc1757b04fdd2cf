#include "goplugin/internal/serve/stdio_service.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/serve/plugin_calls.h"

namespace goplugin::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StdioServiceTest : public ::testing::Test {
 protected:
  StdioServiceTest() : service_(64 * 1024) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = server_->InProcessChannel(grpc::ChannelArguments());
  }
  ~StdioServiceTest() override { service_.Close(); }

  // A stream of which something was read; null, and a failure, otherwise.
  std::unique_ptr<StreamCall<wire::StdioData>> ReadFirst() {
    auto stdio = CallStreamStdio(*channel_);
    service_.Append("a");
    EXPECT_EQ(ReadStdout(*stdio, 1), "a");
    return HasFailure() ? nullptr : std::move(stdio);
  }

  // The same, whose host goes then.
  void ReadAndGo() {
    auto gone = ReadFirst();
    ASSERT_NE(gone, nullptr);
    gone->context.TryCancel();
    EXPECT_EQ(gone->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }

  StdioService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(StdioServiceTest, SendsWhatCameBeforeAndAfterTheCall) {
  service_.Append("before, ");
  auto stdio = CallStreamStdio(*channel_);
  EXPECT_EQ(ReadStdout(*stdio, 8), "before, ");
  service_.Append("after");
  EXPECT_EQ(ReadStdout(*stdio, 5), "after");
}

TEST_F(StdioServiceTest, EndsWithOkAfterTheLastByte) {
  auto stdio = CallStreamStdio(*channel_);
  service_.Append("last words");
  service_.Close();
  EXPECT_EQ(ReadStdout(*stdio, 1000), "last words");
  EXPECT_TRUE(stdio->reader->Finish().ok());
}

TEST_F(StdioServiceTest, ACallAfterTheCloseGetsTheRest) {
  service_.Append("kept");
  service_.Close();
  auto stdio = CallStreamStdio(*channel_);
  EXPECT_EQ(ReadStdout(*stdio, 1000), "kept");
  EXPECT_TRUE(stdio->reader->Finish().ok());
}

// A thread that prints on and on must not keep the call, and the server's end.
TEST_F(StdioServiceTest, WhatComesAfterTheCloseIsNotSent) {
  service_.Append("kept");
  service_.Close();
  service_.Append(", too late");
  auto stdio = CallStreamStdio(*channel_);
  EXPECT_EQ(ReadStdout(*stdio, 1000), "kept");
  EXPECT_TRUE(stdio->reader->Finish().ok());
}

TEST_F(StdioServiceTest, TellsTheReaderWhatWasDropped) {
  service_.Append(std::string(64 * 1024, 'x'));
  service_.Append("tail");
  auto stdio = CallStreamStdio(*channel_);
  service_.Close();
  const std::string text = ReadStdout(*stdio, 1 << 20);
  EXPECT_THAT(text, StartsWith("[goplugin: 4 bytes of stdout dropped"));
  EXPECT_THAT(text, HasSubstr("xtail"));
}

TEST_F(StdioServiceTest, TheNewestReaderTakesOver) {
  auto old_reader = CallStreamStdio(*channel_);
  service_.Append("one");
  ASSERT_EQ(ReadStdout(*old_reader, 3), "one");
  auto new_reader = CallStreamStdio(*channel_);
  // Ends once the other one has arrived.
  EXPECT_EQ(ReadStdout(*old_reader, 1000), "");
  EXPECT_EQ(old_reader->reader->Finish().error_code(),
            grpc::StatusCode::ABORTED);
  service_.Append("two");
  EXPECT_EQ(ReadStdout(*new_reader, 3), "two");
}

TEST_F(StdioServiceTest, OutlivesAReaderThatGoes) {
  ReadAndGo();
  auto stdio = CallStreamStdio(*channel_);
  service_.Append("two");
  EXPECT_EQ(ReadStdout(*stdio, 3), "two");
}

// Without a print, which would tell.
TEST_F(StdioServiceTest, ForgetsAReaderThatGoes) {
  ReadAndGo();
  // Would wait for ever for a stream that was not ended.
  server_->Shutdown();
}

TEST_F(StdioServiceTest, FlushEndsWithoutAReader) {
  service_.Append("nobody reads this");
  EXPECT_TRUE(service_.Flush(absl::InfiniteDuration()));
}

// As for a host's call that gRPC has not handed over yet when Shutdown comes.
TEST_F(StdioServiceTest, FlushWaitsForTheFirstReader) {
  service_.Append("printed early");
  std::atomic<bool> called{false};
  std::thread flush([&] {
    EXPECT_TRUE(service_.Flush(absl::Seconds(60)));
    EXPECT_TRUE(called);
  });
  absl::SleepFor(absl::Milliseconds(20));
  called = true;
  auto stdio = CallStreamStdio(*channel_);
  EXPECT_EQ(ReadStdout(*stdio, 13), "printed early");
  flush.join();
}

TEST_F(StdioServiceTest, FlushWaitsForTheReader) {
  auto stdio = ReadFirst();
  ASSERT_NE(stdio, nullptr);
  const std::string much(64 * 1024, 'y');
  service_.Append(much);
  std::string read;
  std::thread reader([&] { read = ReadStdout(*stdio, much.size()); });
  EXPECT_TRUE(service_.Flush(absl::Seconds(60)));
  reader.join();
  EXPECT_EQ(read, much);
}

// A host that reads is not cut off for want of an end.
TEST_F(StdioServiceTest, FlushEndsBesideAThreadThatPrintsOnAndOn) {
  auto stdio = ReadFirst();
  ASSERT_NE(stdio, nullptr);
  const std::string much(64 * 1024, 'y');
  service_.Append(much);
  std::thread reader([&] {
    wire::StdioData message;
    while (stdio->reader->Read(&message)) service_.Append(much);
    EXPECT_TRUE(stdio->reader->Finish().ok());
  });
  EXPECT_TRUE(service_.Flush(absl::Seconds(10)));
  service_.Close();
  reader.join();
}

// However long a grace the server gives it.
TEST_F(StdioServiceTest, CloseCutsOffAHostThatDidNotReadInTime) {
  auto stdio = ReadFirst();
  ASSERT_NE(stdio, nullptr);
  service_.Append(std::string(64 * 1024, 'y'));
  EXPECT_FALSE(service_.Flush(absl::Milliseconds(50)));
  service_.Close();
  // Would wait for the call's own deadline.
  server_->Shutdown();
  EXPECT_EQ(stdio->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StdioServiceTest, CloseCutsOffNobodyWhoHasReadInTheEnd) {
  auto stdio = ReadFirst();
  ASSERT_NE(stdio, nullptr);
  const std::string much(64 * 1024, 'y');
  service_.Append(much);
  EXPECT_FALSE(service_.Flush(absl::Milliseconds(50)));
  EXPECT_EQ(ReadStdout(*stdio, much.size()), much);
  EXPECT_TRUE(service_.Flush(absl::Seconds(60)));
  service_.Append("last words");
  service_.Close();
  EXPECT_EQ(ReadStdout(*stdio, 1000), "last words");
  EXPECT_TRUE(stdio->reader->Finish().ok());
}

}  // namespace
}  // namespace goplugin::internal
