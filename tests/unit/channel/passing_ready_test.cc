// A target that is not connected: as over its own channel.
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/calls/calls.grpc.pb.h"
#include "tests/support/calls/calls_service.h"
#include "tests/unit/channel/any_way_test.h"
#include "tests/unit/channel/calls_world.h"

namespace goplugin::internal {
namespace {

TEST_P(AnyWayTest, WaitForReadyWaitsForTheConnection) {
  Plugin plugin;
  plugin.Die();
  Use(plugin);
  {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    Message response;
    EXPECT_EQ(stub_->One(&context, MessageOf("hello"), &response).error_code(),
              grpc::StatusCode::UNAVAILABLE);
  }
  grpc::ClientContext context;
  context.set_deadline(Soon());
  context.set_wait_for_ready(true);
  Message response;
  grpc::Status status;
  const auto reader = stub_->AsyncOne(&context, MessageOf("hello"), &queue_);
  reader->Finish(&response, &status, &status);
  plugin.server = std::make_unique<CallsServer>(plugin.address);
  Next(&status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  Leave();
}

}  // namespace
}  // namespace goplugin::internal
