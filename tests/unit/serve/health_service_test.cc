#include "goplugin/internal/serve/health_service.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/serve/plugin_calls.h"

namespace goplugin::internal {
namespace {

using wire::HealthCheckResponse;

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = server_->InProcessChannel(grpc::ChannelArguments());
  }
  ~HealthServiceTest() override { service_.Close(); }

  HealthService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(HealthServiceTest, ServesThePluginAndTheServer) {
  for (const char* name : {"plugin", ""}) {
    HealthCheckResponse response;
    grpc::Status status = CallCheck(*channel_, name, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
}

TEST_F(HealthServiceTest, KnowsNothingElse) {
  HealthCheckResponse response;
  EXPECT_EQ(CallCheck(*channel_, "kv", response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  auto watch = CallWatch(*channel_, "kv");
  ASSERT_TRUE(watch->reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, EndsWatchesWhenItCloses) {
  auto watch = CallWatch(*channel_, "plugin");
  HealthCheckResponse response;
  ASSERT_TRUE(watch->reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  service_.Close();
  EXPECT_FALSE(watch->reader->Read(&response));
  EXPECT_EQ(watch->reader->Finish().error_code(),
            grpc::StatusCode::UNAVAILABLE);

  auto late = CallWatch(*channel_, "plugin");
  EXPECT_FALSE(late->reader->Read(&response));
  EXPECT_EQ(late->reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(CallCheck(*channel_, "plugin", response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, WatchersHaveABound) {
  std::vector<decltype(CallWatch(*channel_, ""))> watches;
  HealthCheckResponse response;
  for (size_t i = 0; i < HealthService::kMaxWatchers; ++i) {
    watches.push_back(CallWatch(*channel_, "plugin"));
    ASSERT_TRUE(watches.back()->reader->Read(&response));
  }
  auto more = CallWatch(*channel_, "plugin");
  EXPECT_FALSE(more->reader->Read(&response));
  EXPECT_EQ(more->reader->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  service_.Close();
}

TEST_F(HealthServiceTest, ForgetsAWatcherThatGoes) {
  auto watch = CallWatch(*channel_, "plugin");
  HealthCheckResponse response;
  ASSERT_TRUE(watch->reader->Read(&response));
  watch->context.TryCancel();
  EXPECT_EQ(watch->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // Would wait for ever for a watcher that was not ended.
  server_->Shutdown();
}

TEST_F(HealthServiceTest, WatchersThatHaveGoneMakeRoom) {
  HealthCheckResponse response;
  for (size_t i = 0; i < HealthService::kMaxWatchers; ++i) {
    auto watch = CallWatch(*channel_, "plugin");
    ASSERT_TRUE(watch->reader->Read(&response));
    watch->context.TryCancel();
    watch->reader->Finish();
  }
  for (;;) {
    auto watch = CallWatch(*channel_, "plugin");
    if (watch->reader->Read(&response)) break;
    ASSERT_EQ(watch->reader->Finish().error_code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
}

}  // namespace
}  // namespace goplugin::internal
