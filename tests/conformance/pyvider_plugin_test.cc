// This SDK as host of plugins built with pyvider-rpcplugin.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/log_sink.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

class PyviderPluginTest : public PeersTest {
 protected:
  PyviderPluginTest() : PeersTest({"plugin_python"}) {}

  Command Plugin() const { return Peer("plugin_python", {}); }

  // The one that prints what it is told.
  Command PrintingPlugin() const {
    Command command = Plugin();
    command.path = PeerFile("venv/bin/python");
    command.args = {RunfilePath("tests/conformance/python/printing_plugin.py")};
    return command;
  }

  void Walk(Command command, TlsMode mode, bool uses_tls) {
    Launched client = Client::Launch(std::move(command), KvOptionsWith(mode));
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->uses_tls(), uses_tls);
    ExpectFullWalk(**client, "Written from plugin_python");
  }
};

TEST_F(PyviderPluginTest, AutoMtls) {
  Walk(Plugin(), TlsMode::kAutoMtls, true);
}

// Its line then ends in an empty sixth field.
TEST_F(PyviderPluginTest, Plaintext) {
  Walk(Plugin(), TlsMode::kInsecure, false);
}

TEST_F(PyviderPluginTest, Tcp) {
  Command command = Plugin();
  command.env = {{"KV_TRANSPORT", "tcp"}};
  Walk(command, TlsMode::kAutoMtls, true);
}

TEST_F(PyviderPluginTest, PlaintextThoughAskedForTlsIsRefused) {
  Command command = Plugin();
  command.env = {{"PLUGIN_AUTO_MTLS", "false"}};
  ExpectError(
      Client::Launch(command, KvOptions()).status(),
      {Reason::kServerCertificate, "no certificate", "kAutoMtlsIfOffered"});
}

TEST_F(PyviderPluginTest, PlaintextIsTakenWhereTlsIsOptional) {
  Command command = Plugin();
  command.env = {{"PLUGIN_AUTO_MTLS", "false"}};
  Walk(command, TlsMode::kAutoMtlsIfOffered, false);
}

TEST_F(PyviderPluginTest, BigMessages) {
  Launched client = Client::Launch(Plugin(), KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  // Its server keeps gRPC's limit of 4 MiB for what it receives.
  const std::string value(size_t{3} << 20, 'x');
  ASSERT_EQ(Put(**client, "big", value), "");
  EXPECT_TRUE(absl::StartsWith(Get(**client, "big"), value));
}

TEST_F(PyviderPluginTest, PrintsArriveAsRawStdout) {
  auto stdio = std::make_shared<RecordingStdioSink>();
  ClientOptions options = KvOptions();
  options.stdio_sink = stdio;
  Launched client = Client::Launch(PrintingPlugin(), options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Put(**client, "printed", "x"), "");
  EXPECT_TRUE(stdio->WaitForRaw("printed\n"));
  EXPECT_EQ(stdio->piped(), "");
  // Its stdio stream ends as UNAVAILABLE, which is no error.
  EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
}

TEST_F(PyviderPluginTest, LinesOfPythonLoggersKeepTheirLevel) {
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = KvOptions();
  options.log_sink = log;
  Launched client = Client::Launch(PrintingPlugin(), options);
  ASSERT_TRUE(client.ok()) << client.status();
  const std::vector<std::pair<std::string, LogLevel>> lines = {
      {"[WARNING] store: disk nearly full", LogLevel::kWarn},
      {"[ERROR] store: disk full", LogLevel::kError},
      {"2026-01-02 03:04:05 [warning  ] almost out   free=3", LogLevel::kWarn},
      {R"({"event": "all gone", "level": "critical"})", LogLevel::kError},
      {"I0102 03:04:05.000006 77 server.cc:12] listening", LogLevel::kInfo},
  };
  for (const auto& line : lines) {
    EXPECT_EQ(Put(**client, "key", line.first), "");
  }
  const std::vector<std::string> messages = {
      "disk nearly full", "disk full", "almost out", "all gone", "listening"};
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_TRUE(log->WaitFor([&](const LogEntry& entry) {
      return absl::StrContains(entry.message, messages[i]) &&
             entry.level == lines[i].second;
    })) << lines[i].first;
  }
}

TEST_F(PyviderPluginTest, TheExampleLogsAWarning) {
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = KvOptions();
  options.log_sink = log;
  Launched client = Client::Launch(Plugin(), options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Put(**client, "hello", "world"), "");
  EXPECT_TRUE(log->WaitFor([](const LogEntry& entry) {
    return absl::StrContains(entry.message, "put hello, 5 bytes") &&
           entry.level == LogLevel::kWarn;
  }));
}

// It dies while it imports, with a traceback.
TEST_F(PyviderPluginTest, AVersionItCantHaveIsExplainedByItsTraceback) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {9};
  const absl::Status status = Client::Launch(Plugin(), options).status();
  ExpectError(status, {Reason::kExitedEarly, "ValueError", ""});
  EXPECT_EQ(GetErrorDetails(status)->exit_status,
            (ExitStatus{ExitStatus::Kind::kExited, 1}));
}

TEST_F(PyviderPluginTest, AnotherVersionIsAMismatch) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {5, 6};
  ExpectError(Client::Launch(Plugin(), options).status(),
              {Reason::kAppVersion, "{5, 6}", ""});
}

// The harness finds its socket in TMPDIR if nobody sweeps it.
TEST_F(PyviderPluginTest, AKilledPluginsSocketIsSwept) {
  Launched client = Client::Launch(Plugin(), KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE(absl::StrContains((*client)->endpoint().address, "/pyvider-"))
      << (*client)->endpoint().address;
  EXPECT_TRUE((*client)->Kill().ok());
}

TEST_F(PyviderPluginTest, AStrayPluginVariableDoesNoHarm) {
  setenv("PLUGIN_PROTOCOL_VERSIONS", "9", 1);
  setenv("PLUGIN_CLIENT_CERT", "nonsense", 1);
  Walk(Plugin(), TlsMode::kAutoMtls, true);
  unsetenv("PLUGIN_PROTOCOL_VERSIONS");
  unsetenv("PLUGIN_CLIENT_CERT");
}

}  // namespace
}  // namespace goplugin::testing
