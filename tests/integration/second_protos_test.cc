// A program with its own copy of go-plugin's, health's and reflection's protos
// uses both sides of the SDK: were one of their names defined twice, it would
// not reach main.

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "goplugin/server.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/second_protos/grpc_broker.pb.h"
#include "tests/support/second_protos/grpc_controller.pb.h"
#include "tests/support/second_protos/grpc_stdio.pb.h"
#include "tests/support/second_protos/health.grpc.pb.h"
#include "tests/support/second_protos/reflection.pb.h"

namespace goplugin::testing {
namespace {

// Answers with the key, and prints it.
class EchoService final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    std::printf("asked for %s\n", request->key().c_str());
    response->set_value(request->key());
    return grpc::Status::OK;
  }
};

int ServeEcho() {
  EchoService echo;
  ServeOptions options;
  options.magic_cookie_key = "BASIC_PLUGIN";
  options.magic_cookie_value = "hello";
  options.services = {{1, {&echo}}};
  return Serve(options);
}

class SecondProtosTest : public HarnessTest {
 protected:
  // The health service, asked by the program's own copy of its protos.
  static void ExpectServes(const Client& client) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("plugin");
    grpc::health::v1::HealthCheckResponse response;
    const grpc::Status status =
        client.NewStub<grpc::health::v1::Health>()->Check(&context, request,
                                                          &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.status(),
              grpc::health::v1::HealthCheckResponse::SERVING);
  }
};

TEST_F(SecondProtosTest, TheNamesAreTheProgramsOwn) {
  // Linked, not only built.
  const std::vector<const google::protobuf::Descriptor*> own = {
      ::plugin::ConnInfo::descriptor(),
      ::plugin::Empty::descriptor(),
      ::plugin::StdioData::descriptor(),
      grpc::health::v1::HealthCheckRequest::descriptor(),
      grpc::reflection::v1alpha::ServerReflectionRequest::descriptor(),
  };
  for (const google::protobuf::Descriptor* message : own) {
    EXPECT_TRUE(absl::StartsWith(message->file()->name(),
                                 "tests/support/second_protos/"))
        << message->full_name();
    EXPECT_EQ(google::protobuf::DescriptorPool::generated_pool()
                  ->FindMessageTypeByName(message->full_name()),
              message);
  }
}

TEST_F(SecondProtosTest, AsAHost) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), KvOptions());
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_TRUE(client->Ping().ok());
  ExpectServes(*client);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(SecondProtosTest, AsAPlugin) {
  auto stdio = std::make_shared<RecordingStdioSink>();
  ClientOptions options = KvOptions();
  options.stdio_sink = stdio;
  std::unique_ptr<Client> client = MustLaunch(
      Command{std::filesystem::read_symlink("/proc/self/exe").string()},
      options);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "echo"), "echo");
  EXPECT_TRUE(stdio->WaitForPiped("asked for echo\n"));
  EXPECT_TRUE(client->Ping().ok());
  ExpectServes(*client);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(client->exit_status()->success());
}

}  // namespace
}  // namespace goplugin::testing

int main(int argc, char** argv) {
  // Started by a test of its own.
  if (getenv("BASIC_PLUGIN") != nullptr) {
    return goplugin::testing::ServeEcho();
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
