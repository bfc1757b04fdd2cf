// examples/inspect, which knows nothing of a plugin beforehand, on plugins in
// Go and Python.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/inspect/inspect_run.h"

namespace goplugin::testing {
namespace {

using Words = std::vector<std::string>;

class InspectPeersTest : public PeersTest {
 protected:
  using PeersTest::PeersTest;

  InspectCommand Kv(Words options, Words plugin) const {
    Words all = {"--cookie", "BASIC_PLUGIN=hello", "--versions", "1"};
    all.insert(all.end(), options.begin(), options.end());
    plugin[0] = PeerPath(plugin[0]);
    return {std::move(all), std::move(plugin), data(), ScratchPath("output")};
  }
};

std::string Value(const InspectReport& report) {
  std::string value;
  EXPECT_TRUE(absl::Base64Unescape(report.Text("/call/answer/value"), &value));
  return value;
}

class InspectGoTest : public InspectPeersTest {
 protected:
  InspectGoTest()
      : InspectPeersTest({"kv", "hashicorp-bidirectional-plugin"}) {}
};

TEST_F(InspectGoTest, ReportsAllThatCanBeSeen) {
  const InspectReport report(Kv({}, {"kv"}));
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_EQ(report.Number("/version"), 1);
  EXPECT_EQ(report.Text("/certificate/key"), "ECDSA P-521");
  EXPECT_TRUE(
      absl::StrContains(report.Text("/certificate/subject"), "HashiCorp"));
  EXPECT_EQ(report.Text("/certificate/dns_names/0"), "localhost");
  EXPECT_TRUE(report.Flag("/health/serving"));
  EXPECT_EQ(report.Text("/described_by"), "reflection v1");
  EXPECT_EQ(report.Methods("proto.KV"),
            "Get(proto.GetRequest) -> proto.GetResponse\n"
            "Put(proto.PutRequest) -> proto.Empty\n");
  // Described with the help of protobuf's own files.
  EXPECT_EQ(report.Methods("plugin.GRPCStdio"),
            "StreamStdio(google.protobuf.Empty) -> stream plugin.StdioData\n");
  EXPECT_TRUE(absl::StrContains(report.Logs(), "plugin address"));
  EXPECT_EQ(report.Number("/exit/code"), 0);
}

TEST_F(InspectGoTest, CallsWithJson) {
  const InspectReport put(
      Kv({"--call", "proto.KV/Put", "--json",
          R"({"key": "color", "value": "Ymx1ZQ=="})", "--tls", "insecure"},
         {"kv"}));
  EXPECT_EQ(put.exit_code(), 0) << put.output();
  const InspectReport get(
      Kv({"--call", "proto.KV/Get", "--json", R"({"key": "color"})"}, {"kv"}));
  EXPECT_EQ(get.exit_code(), 0) << get.output();
  EXPECT_TRUE(absl::StartsWith(Value(get), "blue"));
}

TEST_F(InspectGoTest, ShowsTheSameToPeople) {
  const HostResult result = InspectAsText(
      Kv({"--call", "proto.KV/Get", "--hex", "0a082176657273696f6e"},
         {"kv", "-network", "tcp"}));
  EXPECT_EQ(result.exit_code, 0);
  for (const char* line :
       {"\nnetwork      tcp\n", "\ncertificate  ECDSA P-521\n",
        "\nservices     by reflection v1\n", "\nservice      proto.KV\n",
        "\nanswer       0a0131\n", "\nexit         exit code 0\n"}) {
    EXPECT_TRUE(absl::StrContains(result.output, line)) << line << "in\n"
                                                        << result.output;
  }
}

TEST_F(InspectGoTest, FailuresOfAPlugin) {
  const InspectReport start(Kv({}, {"kv", "-panic"}));
  EXPECT_EQ(start.exit_code(), 1);
  EXPECT_EQ(start.Text("/error/reason"), "exited_early");
  EXPECT_TRUE(absl::StrContains(start.Text("/error/panic"), "goroutine"));
  const InspectReport call(
      Kv({"--call", "proto.KV/Get", "--json", R"({"key": "!panic:ouch"})"},
         {"kv"}));
  EXPECT_EQ(call.exit_code(), 1);
  EXPECT_EQ(call.Text("/error/reason"), "crashed") << call.output();
  EXPECT_TRUE(absl::StrContains(call.Text("/error/panic"), "ouch"));
}

TEST_F(InspectGoTest, AnotherPluginThanTheTestsKnow) {
  const InspectReport report(
      Kv({"--call", "proto.Counter/Get", "--json", R"({"key": "a"})"},
         {"hashicorp-bidirectional-plugin"}));
  EXPECT_TRUE(absl::StrContains(report.Services(), "proto.Counter\n"));
  EXPECT_NE(report.Methods("proto.Counter"), "");
  // No value is stored yet, and it answers with 0 or with an error.
  EXPECT_NE(report.Text("/call/code"), "");
}

TEST_F(InspectGoTest, Multiplexed) {
  for (const char* tls : {"auto", "insecure"}) {
    for (const char* how : {"require", "if-offered", "never"}) {
      const InspectReport report(
          Kv({"--multiplex", how, "--tls", tls, "--call", "proto.KV/Get",
              "--json", R"({"key": "!version"})"},
             {"kv"}));
      EXPECT_EQ(report.exit_code(), 0) << report.output();
      EXPECT_EQ(report.Flag("/multiplexed"), *how != 'n') << report.output();
      EXPECT_EQ(Value(report), "1");
      EXPECT_TRUE(report.Flag("/health/serving"));
      EXPECT_EQ(report.Number("/exit/code"), 0);
    }
  }
}

// Its own listener does not multiplex, and says so.
TEST_F(InspectGoTest, ShowsPeopleThatItIsMultiplexed) {
  const auto inspect = [this](const char* network) {
    return InspectAsText(
               Kv({"--multiplex", "if-offered"}, {"kv", "-network", network}))
        .output;
  };
  EXPECT_TRUE(absl::StrContains(inspect("unix"), "\nmultiplexed  yes\n"))
      << inspect("unix");
  EXPECT_FALSE(absl::StrContains(inspect("tcp"), "\nmultiplexed "));
}

class InspectPythonTest : public InspectPeersTest {
 protected:
  InspectPythonTest() : InspectPeersTest({"plugin_python"}) {}
};

TEST_F(InspectPythonTest, ReportsAllThatCanBeSeen) {
  const InspectReport report(Kv({}, {"plugin_python"}));
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_EQ(report.Text("/certificate/key"), "ECDSA P-384");
  EXPECT_TRUE(report.Flag("/tls"));
  EXPECT_TRUE(absl::StrContains(report.Text("/undescribed"), "no server"));
  EXPECT_EQ(report.Number("/exit/code"), 0);
}

TEST_F(InspectPythonTest, CallsByAProtoFile) {
  const std::string proto = RunfilePath("examples/proto/kv.proto");
  const InspectReport put(
      Kv({"--proto", proto, "--call", "proto.KV/Put", "--json",
          R"({"key": "color", "value": "Ymx1ZQ=="})"},
         {"plugin_python"}));
  EXPECT_EQ(put.exit_code(), 0) << put.output();
  EXPECT_TRUE(absl::StrContains(put.Logs(), "put color")) << put.output();
  const InspectReport get(Kv({"--proto", proto, "--call", "proto.KV/Get",
                              "--json", R"({"key": "color"})"},
                             {"plugin_python"}));
  EXPECT_TRUE(absl::StartsWith(Value(get), "blue")) << get.output();
}

// It has not heard of multiplexing.
TEST_F(InspectPythonTest, Multiplexed) {
  const InspectReport required(
      Kv({"--multiplex", "require"}, {"plugin_python"}));
  EXPECT_EQ(required.exit_code(), 1);
  EXPECT_EQ(required.Text("/error/reason"), "mux_unsupported")
      << required.output();
  EXPECT_TRUE(absl::StrContains(required.Text("/error/hint"), "go-plugin 1.6"));
  for (const char* how : {"if-offered", "never"}) {
    const InspectReport report(Kv({"--multiplex", how}, {"plugin_python"}));
    EXPECT_EQ(report.exit_code(), 0) << report.output();
    EXPECT_FALSE(report.Flag("/multiplexed"));
    EXPECT_TRUE(report.Flag("/health/serving")) << report.output();
  }
}

TEST_F(InspectPythonTest, AVersionItCantHave) {
  InspectCommand command = Kv({}, {"plugin_python"});
  command.options[3] = "9";
  const InspectReport report(command);
  EXPECT_EQ(report.exit_code(), 1);
  EXPECT_EQ(report.Text("/error/reason"), "exited_early");
  EXPECT_TRUE(absl::StrContains(report.Text("/error/panic"), "ValueError"));
}

}  // namespace
}  // namespace goplugin::testing
