// Plugins in a sandbox of bubblewrap, with files, processes and a network of
// their own: every address has to be translated.

#include "goplugin/runner.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/runner/bubblewrap_runner.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class RunnerTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    if (std::system("bwrap --unshare-all --as-pid-1 --ro-bind / / true") != 0) {
      GTEST_SKIP() << "bubblewrap can't make namespaces here";
    }
  }

  static std::unique_ptr<Client> MustRun(const std::string& program,
                                         std::vector<std::string> arguments,
                                         ClientOptions options) {
    // In there only the file itself is to be seen.
    const std::string path =
        std::filesystem::canonical(RunfilePath(program)).string();
    auto client = Client::Launch(
        std::make_shared<BubblewrapRunner>(path, std::move(arguments)),
        std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  static std::unique_ptr<Client> MustServe(
      std::vector<std::string> flags = {},
      ClientOptions options = PlainOptions()) {
    return MustRun("tests/plugins/server_plugin", std::move(flags),
                   std::move(options));
  }
};

TEST_F(RunnerTest, LaunchCallAndShutdown) {
  auto client = MustServe();
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Put(*client, "hello", "world"), "");
  EXPECT_TRUE(absl::StartsWith(Get(*client, "hello"), "world"));
  EXPECT_EQ(client->Ping(), absl::OkStatus());
  EXPECT_EQ(client->pid(), -1);
  // Its own line names a path of its own; the client's is this host's.
  EXPECT_TRUE(absl::StrContains(client->handshake().line, "|unix|/run/plugin/"))
      << client->handshake().line;
  EXPECT_TRUE(std::filesystem::is_socket(client->endpoint().address))
      << client->endpoint().ToString();
  // It has a number of its own.
  EXPECT_EQ(Get(*client, "!pid"), "1");
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(client->exit_status()->ToString(), "exit code 0");
}

TEST_F(RunnerTest, LogsAndOutputComeThrough) {
  auto sink = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = sink;
  auto client = MustServe({"--stderr=hello from the sandbox"}, options);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(sink->WaitForMessage("hello from the sandbox"));
}

TEST_F(RunnerTest, ItsEndIsSeen) {
  auto client = MustServe();
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> exit;
  client->OnExit(
      [&exit](ExitStatus, absl::Status why) { exit.Put(std::move(why)); });
  EXPECT_TRUE(absl::StartsWith(Get(*client, "!exit:3"), "error: "));
  ExpectError(*exit.Take(),
              {Reason::kCrashed, "bubblewrap process", "gave up by itself"});
}

TEST_F(RunnerTest, KillEndsIt) {
  auto client = MustServe({"--ignore-shutdown", "--ignore-sigterm"});
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Kill(), absl::OkStatus());
  EXPECT_TRUE(client->exited());
}

TEST_F(RunnerTest, ItCantBeLeftRunning) {
  auto client = MustServe();
  ASSERT_NE(client, nullptr);
  ExpectError(client->Detach().status(),
              {Reason::kOptions, "not started to outlive", "Runner"});
}

// The kernel knows who serves at the socket, whatever the walls.
TEST_F(RunnerTest, AnotherClientReattaches) {
  auto client = MustServe();
  ASSERT_NE(client, nullptr);
  absl::StatusOr<ReattachConfig> config = client->reattach_config();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pid, 0);
  EXPECT_EQ(config->endpoint, client->endpoint());
  auto other = Client::Reattach(*config, PlainOptions());
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_GT((*other)->pid(), 1);
  EXPECT_EQ(Get(**other, "!pid"), "1");
  EXPECT_EQ((*other)->Shutdown(), absl::OkStatus());
  // Its orderly end is an unasked one to the client that launched it.
  EXPECT_TRUE(client->WaitForExit(kPatience).ok());
}

TEST_F(RunnerTest, AProgramThatIsNotThere) {
  auto client =
      Client::Launch(std::make_shared<BubblewrapRunner>(ScratchPath("missing")),
                     PlainOptions());
  ExpectError(client.status(),
              {Reason::kExitedEarly, "diagnosis: \"it ran /usr/bin/bwrap",
               "Check what the plugin wrote"});
  EXPECT_TRUE(absl::StrContains(GetErrorDetails(client.status())->stderr_tail,
                                "Can't find source path"));
}

TEST_F(RunnerTest, Tcp) {
  auto client = Client::Launch(
      std::make_shared<BubblewrapRunner>(
          std::filesystem::canonical(RunfilePath("tests/plugins/server_plugin"))
              .string(),
          std::vector<std::string>{"--network=tcp"}),
      PlainOptions());
  ExpectError(client.status(),
              {Reason::kTransport, "the sandbox shares sockets in /run/plugin",
               "translation"});
}

class RunnerBrokerTest : public RunnerTest,
                         public ::testing::WithParamInterface<TlsMode> {};

TEST_P(RunnerBrokerTest, BothWays) {
  ClientOptions options = KvOptions();
  options.tls.mode = GetParam();
  auto client = MustRun("tests/support/broker/broker_plugin", {}, options);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->uses_tls(), GetParam() == TlsMode::kAutoMtls);

  const broker::Outcome accepted = PluginAccepts(*client, 2);
  ASSERT_EQ(accepted.ids_size(), 2) << accepted.message();
  EXPECT_TRUE(absl::StrContains(accepted.endpoint(), "/run/plugin/"))
      << accepted.endpoint();
  auto channel = client->broker().Dial(accepted.ids(0));
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(Sum(*channel, 20, 22).value_or(0), 42);

  AdderService adder;
  auto server = client->broker().AcceptAndServe(1, {&adder});
  ASSERT_TRUE(server.ok()) << server.status().message();
  const broker::Outcome dialled = PluginDials(*client, {1}, 40, 2);
  ASSERT_EQ(dialled.sums_size(), 1) << dialled.message();
  EXPECT_EQ(dialled.sums(0), 42);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(Tls, RunnerBrokerTest,
                         ::testing::Values(TlsMode::kInsecure,
                                           TlsMode::kAutoMtls),
                         [](const auto& info) {
                           return std::string(info.param == TlsMode::kInsecure
                                                  ? "Plain"
                                                  : "AutoMtls");
                         });

// examples/runner, as a person runs it.
TEST_F(RunnerTest, TheExampleAdds) {
  const std::string path = RunfilePath("examples/");
  const std::string command = absl::StrCat(
      "test \"$(", path, "runner/host ", path, "bidirectional/plugin)\" = 42");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace goplugin::testing
