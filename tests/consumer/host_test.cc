// A test of a host: its plugin is within the test.

#include "gmock/gmock.h"
#include "goplugin/client.h"
#include "goplugin/testing/in_process_plugin.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "kv.grpc.pb.h"

namespace {

class FakeKv final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    response->set_value("of " + request->key());
    return grpc::Status::OK;
  }
};

TEST(HostTest, Gets) {
  FakeKv kv;
  goplugin::testing::InProcessPlugin plugin(&kv);
  goplugin::ClientOptions options;
  options.handshake.protocol_versions = {1};
  auto client = plugin.Launch(options);
  ASSERT_THAT(client, goplugin::testing::IsOk());

  grpc::ClientContext context;
  proto::GetRequest request;
  request.set_key("a");
  proto::GetResponse response;
  EXPECT_TRUE(
      (*client)->NewStub<proto::KV>()->Get(&context, request, &response).ok());
  EXPECT_EQ(response.value(), "of a");
}

}  // namespace
