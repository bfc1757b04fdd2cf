// Serve and InProcessPlugin where the system gives no thread.

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/internal/serve/plugin_server.h"
#include "goplugin/server.h"
#include "goplugin/testing/in_process_plugin.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/support/failing_calls/failing_calls.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/serve/plugin_calls.h"

namespace goplugin::testing {
namespace {

using ::testing::HasSubstr;

class ServeThreadsTest : public HarnessTest {
 protected:
  // In test mode, until it serves.
  int ServeOnce() {
    ServeOptions options;
    options.magic_cookie_key = "NOT_SET";
    options.magic_cookie_value = "anything";
    options.services = {{1, {&service_}}};
    options.test_mode = [](const TestServer& server) { server.stop(); };
    return Serve(options);
  }

  proto::KV::Service service_;
};

TEST_F(ServeThreadsTest, AnyThreadThatCantBeHadIsAnErrorOfServe) {
  ASSERT_EQ(ServeOnce(), 0);
  for (int which = 1;; ++which) {
    SCOPED_TRACE(which);
    ::testing::internal::CaptureStderr();
    Arm("pthread_create", which);
    const int result = ServeOnce();
    const int calls = Disarm();
    const std::string text = ::testing::internal::GetCapturedStderr();
    if (calls < which) {
      EXPECT_EQ(result, 0) << text;
      EXPECT_GT(which, 3);
      break;
    }
    EXPECT_EQ(result, 1);
    EXPECT_THAT(text, HasSubstr("[ERROR] the plugin can't start"));
    EXPECT_THAT(text, HasSubstr("pids.max"));
  }
  EXPECT_EQ(ServeOnce(), 0);
}

TEST_F(ServeThreadsTest, AnyThreadThatCantBeHadIsAnErrorOfAnInProcessPlugin) {
  int failed = 0;
  for (int which = 1;; ++which) {
    SCOPED_TRACE(which);
    InProcessPlugin plugin(&service_);
    Arm("pthread_create", which);
    auto client = plugin.Launch(KvOptions());
    const int calls = Disarm();
    if (calls < which) {
      EXPECT_THAT(client, IsOk());
      break;
    }
    // Some would only help.
    if (client.ok()) continue;
    ++failed;
    EXPECT_THAT(client, StatusIs(Reason::kResources));
  }
  EXPECT_GT(failed, 3);
}

// Whoever has called by then holds up the end of neither.
TEST_F(ServeThreadsTest, AStartThatFailsDoesNotWaitForCallsOfOthers) {
  const std::string target = "unix:" + ScratchPath("own");
  InProcessPlugin* started = nullptr;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<StreamCall<wire::StdioData>> stdio;
  std::unique_ptr<StreamCall<wire::HealthCheckResponse>> watch;
  InProcessPluginOptions options;
  options.services = {&service_};
  options.configure_server = [&target](grpc::ServerBuilder& builder) {
    builder.AddListeningPort(target, grpc::InsecureServerCredentials());
  };
  options.on_broker = [&](Broker&) {
    channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
    stdio = CallStreamStdio(*channel);
    started->WriteStdout("x");
    EXPECT_EQ(ReadStdout(*stdio, 1), "x");
    watch = CallWatch(*channel, "plugin");
    wire::HealthCheckResponse response;
    EXPECT_TRUE(watch->reader->Read(&response));
    Arm("pthread_create", 1);
  };
  InProcessPlugin plugin(std::move(options));
  started = &plugin;
  auto client = plugin.Launch(KvOptions());
  Disarm();
  EXPECT_THAT(client, StatusIs(Reason::kResources));
}

// Its end would have no deadline.
TEST_F(ServeThreadsTest, WithoutAThreadToStopItAServerIsNotBuilt) {
  bool configured = false;
  internal::ServerPlan plan;
  plan.services = {&service_};
  plan.credentials = grpc::InsecureServerCredentials();
  plan.configure = [&configured](grpc::ServerBuilder&) { configured = true; };
  Arm("pthread_create", 1);
  auto server = internal::PluginServer::Start(plan);
  Disarm();
  EXPECT_THAT(server, StatusIs(Reason::kResources));
  EXPECT_FALSE(configured);
}

}  // namespace
}  // namespace goplugin::testing
