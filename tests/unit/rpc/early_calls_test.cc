#include "goplugin/internal/rpc/early_calls.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace goplugin::internal {
namespace {

using Factory = grpc::experimental::ClientInterceptorFactoryInterface;

class Sees final : public Factory {
 public:
  explicit Sees(std::shared_ptr<EarlyCalls> calls) : calls_(std::move(calls)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return calls_->See().release();
  }

 private:
  const std::shared_ptr<EarlyCalls> calls_;
};

// Calls to nobody, which fail at once, or wait for somebody for ever.
class EarlyCallsTest : public ::testing::Test {
 protected:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  };

  EarlyCallsTest() {
    std::vector<std::unique_ptr<Factory>> factories;
    factories.push_back(std::make_unique<Sees>(calls_));
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::experimental::CreateCustomChannelWithInterceptors(
            "unix:/nonexistent/socket", grpc::InsecureChannelCredentials(),
            grpc::ChannelArguments(), std::move(factories)));
  }

  std::unique_ptr<Call> Prepare(bool waits) {
    auto call = std::make_unique<Call>();
    call->context.set_wait_for_ready(waits);
    call->reader = stub_->PrepareUnaryCall(&call->context, "/service/Method",
                                           grpc::ByteBuffer(), &queue_);
    return call;
  }

  static void Start(Call& call) {
    call.reader->StartCall();
    call.reader->Finish(&call.response, &call.status, nullptr);
  }

  std::unique_ptr<Call> Begin(bool waits) {
    std::unique_ptr<Call> call = Prepare(waits);
    Start(*call);
    return call;
  }

  void AwaitEnd() {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue_.Next(&tag, &ok));
  }

  grpc::CompletionQueue queue_;
  std::shared_ptr<EarlyCalls> calls_ = std::make_shared<EarlyCalls>();
  std::unique_ptr<grpc::GenericStub> stub_;
};

TEST_F(EarlyCallsTest, IsUnderWayUntilItsStatus) {
  EXPECT_FALSE(calls_->under_way());
  const std::unique_ptr<Call> call = Begin(/*waits=*/false);
  EXPECT_TRUE(calls_->under_way());
  ASSERT_NO_FATAL_FAILURE(AwaitEnd());
  EXPECT_FALSE(calls_->under_way());
}

TEST_F(EarlyCallsTest, StaysOneAfterClose) {
  const std::unique_ptr<Call> first = Begin(/*waits=*/true);
  const std::unique_ptr<Call> second = Begin(/*waits=*/true);
  calls_->Close();
  first->context.TryCancel();
  ASSERT_NO_FATAL_FAILURE(AwaitEnd());
  EXPECT_TRUE(calls_->under_way());
  second->context.TryCancel();
  ASSERT_NO_FATAL_FAILURE(AwaitEnd());
  EXPECT_FALSE(calls_->under_way());
}

TEST_F(EarlyCallsTest, IsNoneAfterClose) {
  calls_->Close();
  const std::unique_ptr<Call> call = Begin(/*waits=*/true);
  EXPECT_FALSE(calls_->under_way());
  call->context.TryCancel();
  ASSERT_NO_FATAL_FAILURE(AwaitEnd());
}

// It is behind whatever came meanwhile.
TEST_F(EarlyCallsTest, IsNoneThatWasPreparedBeforeCloseAndBegunLater) {
  const std::unique_ptr<Call> call = Prepare(/*waits=*/true);
  EXPECT_FALSE(calls_->under_way());
  calls_->Close();
  Start(*call);
  EXPECT_FALSE(calls_->under_way());
  call->context.TryCancel();
  ASSERT_NO_FATAL_FAILURE(AwaitEnd());
}

TEST_F(EarlyCallsTest, IsNoneThatWasNeverBegun) {
  { const std::unique_ptr<Call> call = Prepare(/*waits=*/false); }
  EXPECT_FALSE(calls_->under_way());
}

}  // namespace
}  // namespace goplugin::internal
