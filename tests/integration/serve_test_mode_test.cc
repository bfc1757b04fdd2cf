// A plugin in test mode, in this process, and clients that reattach to it.

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "goplugin/server.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class EchoService final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    response->set_value(request->key());
    return grpc::Status::OK;
  }
};

class ServeTestModeTest : public HarnessTest {
 protected:
  // Serves on a thread of its own until End.
  TestServer Begin(Endpoint::Network network) {
    ServeOptions options;
    options.magic_cookie_key = "NOT_SET";
    options.magic_cookie_value = "anything";
    options.services = {{3, {&echo_}}, {7, {&echo_}}};
    options.networks = {network};
    options.test_mode = [this](const TestServer& server) {
      server_.Put(server);
    };
    thread_ = std::thread([this, options] { result_ = Serve(options); });
    return *server_.Take();
  }

  int End(const TestServer& server) {
    server.stop();
    thread_.join();
    // Too late is no harm.
    server.stop();
    return result_;
  }

  EchoService echo_;
  Mailbox<TestServer> server_;
  std::thread thread_;
  int result_ = -1;
};

ClientOptions Versions() {
  ClientOptions options = PlainOptions();
  options.handshake.protocol_versions = {3, 7};
  return options;
}

TEST_F(ServeTestModeTest, ClientsComeAndGo) {
  const TestServer server = Begin(Endpoint::Network::kUnix);
  EXPECT_EQ(server.reattach_config.pid, getpid());
  EXPECT_EQ(server.reattach_config.protocol_version, 3u);
  EXPECT_TRUE(server.reattach_config.test);
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(server.reattach_config, Versions());
    EXPECT_TRUE(client.ok()) << client.status();
    if (!client.ok()) break;
    EXPECT_EQ(Get(**client, "echo"), "echo");
    EXPECT_EQ((*client)->Ping(), absl::OkStatus());
    EXPECT_EQ((*client)->pid(), getpid());
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
  }
  EXPECT_EQ(End(server), 0);
}

TEST_F(ServeTestModeTest, OverTcpByTheText) {
  const TestServer server = Begin(Endpoint::Network::kTcp);
  const absl::StatusOr<std::string> text =
      FormatReattachProviders({{"kv", server.reattach_config}});
  EXPECT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(text.value_or(""));
  EXPECT_TRUE(providers.ok()) << providers.status();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Reattach(providers->at("kv"), Versions());
  EXPECT_TRUE(client.ok()) << client.status();
  if (client.ok()) {
    EXPECT_EQ(Get(**client, "echo"), "echo");
  }
  client = absl::CancelledError();
  EXPECT_EQ(End(server), 0);
}

}  // namespace
}  // namespace goplugin::testing
