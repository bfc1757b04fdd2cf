// The main job: launch, call, shut down.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class WalkTest : public HarnessTest {};

void Walk(ClientOptions options, Command command, bool uses_tls) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(std::move(command), std::move(options));
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->uses_tls(), uses_tls);
  EXPECT_EQ((*client)->protocol_version(), 1u);
  EXPECT_GT((*client)->pid(), 0);
  EXPECT_FALSE((*client)->exited());
  EXPECT_EQ(Put(**client, "key", "value"), "");
  EXPECT_NE(Get(**client, "key").find("value"), std::string::npos);
  EXPECT_TRUE((*client)->Ping().ok());
  const absl::Status bye = (*client)->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  ASSERT_TRUE((*client)->exit_status().has_value());
  EXPECT_TRUE((*client)->exit_status()->success())
      << (*client)->exit_status()->ToString();
}

TEST_F(WalkTest, AutoMtlsOverUnix) {
  Walk(KvOptions(), ServerPlugin({}), /*uses_tls=*/true);
}

TEST_F(WalkTest, InsecureOverUnix) {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kInsecure;
  Walk(options, ServerPlugin({}), /*uses_tls=*/false);
}

TEST_F(WalkTest, IfOfferedWithoutCertificate) {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kAutoMtlsIfOffered;
  Walk(options, ServerPlugin({"--tls=none"}), /*uses_tls=*/false);
}

TEST_F(WalkTest, AutoMtlsOverTcp) {
  Walk(KvOptions(), ServerPlugin({"--network=tcp"}), /*uses_tls=*/true);
}

TEST_F(WalkTest, InsecureOverTcp) {
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kInsecure;
  Walk(options, ServerPlugin({"--network=tcp"}), /*uses_tls=*/false);
}

// The socket of a plugin that ignores the directory made for it is swept too,
// also when the plugin is killed (the harness looks).
TEST_F(WalkTest, SocketElsewhereIsSweptAfterKill) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(ServerPlugin({"--ignore-socket-dir"}), KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->endpoint().address.rfind(temp(), 0), 0u);
  EXPECT_TRUE((*client)->Kill().ok());
}

TEST_F(WalkTest, TheDestructorShutsDown) {
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(ServerPlugin({}), KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
}

TEST_F(WalkTest, StubsOutliveTheClient) {
  std::shared_ptr<grpc::Channel> channel;
  {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(ServerPlugin({}), KvOptions());
    ASSERT_TRUE(client.ok()) << client.status();
    channel = (*client)->channel();
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
    // A client that was shut down hands out a channel whose calls fail.
    EXPECT_NE(Put(**client, "key", "value"), "");
  }
  EXPECT_NE(channel, nullptr);
}

}  // namespace
}  // namespace goplugin::testing
