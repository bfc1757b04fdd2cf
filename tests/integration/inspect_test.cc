// examples/inspect, the command, on plugins in C++: good ones, and those with
// faults. Other languages: tests/conformance/inspect_peers_test.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/inspect/inspect_run.h"

namespace goplugin::testing {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

std::string KvProto() { return RunfilePath("examples/proto/kv.proto"); }

class InspectTest : public HarnessTest {
 protected:
  // The options every KV plugin needs, and then these.
  InspectCommand Kv(Words options, Words plugin) const {
    Words all = {"--cookie", "BASIC_PLUGIN=hello", "--versions", "1"};
    all.insert(all.end(), options.begin(), options.end());
    return Command(std::move(all), std::move(plugin));
  }
  InspectReport PluginCpp(Words options) const {
    return InspectReport(Kv(std::move(options),
                            {RunfilePath("examples/plugin_cpp/plugin_cpp")}));
  }
  InspectReport ServerPlugin(Words options, Words flags) const {
    flags.insert(flags.begin(), RunfilePath("tests/plugins/server_plugin"));
    return InspectReport(Kv(std::move(options), std::move(flags)));
  }
  InspectReport Misbehave(Words options, Words name) const {
    name.insert(name.begin(), RunfilePath("tests/plugins/misbehave"));
    return InspectReport(Kv(std::move(options), std::move(name)));
  }
  // A plugin with server reflection.
  InspectReport Greeter(Words options) const {
    Words all = {"--cookie", "GREETER_PLUGIN=hello", "--versions", "1,2"};
    all.insert(all.end(), options.begin(), options.end());
    return InspectReport(
        Command(all, {RunfilePath("examples/negotiated/plugin")}));
  }
  // Get of a key, with the service described by a file.
  Words CallGet(const std::string& key) const {
    return {"--proto", KvProto(),
            "--call",  "proto.KV/Get",
            "--json",  absl::StrCat(R"({"key": ")", key, R"("})")};
  }

 private:
  InspectCommand Command(Words options, Words plugin) const {
    return {std::move(options), std::move(plugin), ScratchPath(""),
            ScratchPath("output")};
  }
};

void ExpectFailure(const InspectReport& report, int exit_code,
                   const std::string& reason, const std::string& evidence) {
  EXPECT_EQ(report.exit_code(), exit_code) << report.output();
  EXPECT_EQ(report.Text("/error/reason"), reason) << report.output();
  EXPECT_FALSE(report.Text("/error/hint").empty()) << report.output();
  const std::string seen =
      absl::StrCat(report.Text("/error/what"), "\n", report.Evidence());
  EXPECT_TRUE(absl::StrContains(seen, evidence)) << seen;
}

TEST_F(InspectTest, ReportsAllThatCanBeSeen) {
  const InspectReport report = PluginCpp({});
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_TRUE(absl::EndsWith(report.Text("/command/0"), "plugin_cpp"));
  EXPECT_GT(report.Number("/pid"), 0);
  EXPECT_TRUE(absl::StartsWith(report.Text("/line"), "1|1|unix|"));
  EXPECT_EQ(report.Number("/version"), 1);
  EXPECT_EQ(report.Text("/network"), "unix");
  EXPECT_TRUE(absl::StrContains(report.Text("/line"), report.Text("/address")));
  EXPECT_TRUE(report.Flag("/tls"));
  EXPECT_EQ(report.Text("/certificate/key"), "ECDSA P-256");
  EXPECT_EQ(report.Text("/certificate/dns_names/0"), "localhost");
  EXPECT_LT(report.Text("/certificate/not_before"),
            report.Text("/certificate/not_after"));
  EXPECT_EQ(report.Text("/phases/0/name"), "started");
  EXPECT_EQ(report.Text("/phases/1/name"), "line");
  EXPECT_EQ(report.Text("/phases/2/name"), "connected");
  EXPECT_EQ(report.Text("/phases/3/name"), "ready");
  EXPECT_TRUE(report.Has("/phases/3/milliseconds"));
  EXPECT_TRUE(report.Flag("/health/serving"));
  EXPECT_EQ(report.Text("/undescribed"), "the plugin has no server reflection");
  EXPECT_EQ(report.Number("/exit/code"), 0);
}

TEST_F(InspectTest, ShowsTheSameToPeople) {
  const HostResult result = InspectAsText(
      Kv(CallGet("missing"), {RunfilePath("examples/plugin_cpp/plugin_cpp")}));
  EXPECT_EQ(result.exit_code, 1);
  for (const char* line :
       {"\nversion      1\n", "\ncertificate  ECDSA P-256\n",
        "\n  names      localhost\n", "\nhealth       serving\n",
        "\nservice      proto.KV\n",
        "\n  method     Get(proto.GetRequest) -> proto.GetResponse\n",
        "\ncode         NOT_FOUND\n", "\nlog          warn   kv: no such key",
        "\nexit         exit code 0\n", "\nreason       call_failed\n",
        "\nhint         "}) {
    EXPECT_TRUE(absl::StrContains(result.output, line)) << line << "in\n"
                                                        << result.output;
  }
}

TEST_F(InspectTest, WithoutTls) {
  const InspectReport report = PluginCpp({"--tls", "insecure"});
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_TRUE(report.Has("/tls"));
  EXPECT_FALSE(report.Flag("/tls"));
  EXPECT_FALSE(report.Has("/certificate"));
  EXPECT_TRUE(ServerPlugin({"--tls=if-offered"}, {}).Flag("/tls"));
  EXPECT_FALSE(ServerPlugin({"--tls=if-offered"}, {"--tls=none"}).Flag("/tls"));
}

TEST_F(InspectTest, CertificatesOfOtherKinds) {
  EXPECT_EQ(ServerPlugin({}, {"--tls-key=rsa2048"}).Text("/certificate/key"),
            "RSA 2048");
  EXPECT_EQ(ServerPlugin({}, {"--tls-key=p521"}).Text("/certificate/key"),
            "ECDSA P-521");
}

TEST_F(InspectTest, CallsByAProtoFile) {
  const InspectReport put =
      PluginCpp({"--proto", KvProto(), "--call", "proto.KV/Put", "--json",
                 R"({"key": "color", "value": "Ymx1ZQ=="})"});
  EXPECT_EQ(put.exit_code(), 0) << put.output();
  EXPECT_EQ(put.Text("/described_by"), KvProto());
  EXPECT_EQ(put.Services(), "proto.KV\n");
  EXPECT_EQ(put.Text("/call/code"), "OK");
  EXPECT_TRUE(put.Has("/call/answer"));
  EXPECT_EQ(put.Logs(), "put\n");
  EXPECT_EQ(put.Text("/logs/0/module"), "kv");
  EXPECT_EQ(put.Text("/logs/0/fields/key"), "color");
  EXPECT_EQ(put.Text("/output/0/text"), "storing color\n");

  const InspectReport get = PluginCpp(CallGet("color"));
  EXPECT_EQ(get.exit_code(), 0) << get.output();
  std::string value;
  EXPECT_TRUE(absl::Base64Unescape(get.Text("/call/answer/value"), &value));
  EXPECT_TRUE(absl::StartsWith(value, "blue\n")) << value;
}

TEST_F(InspectTest, CallsByADescriptorSet) {
  const InspectReport report = ServerPlugin(
      {"--descriptor-set",
       RunfilePath("examples/proto/kv_proto-descriptor-set.proto.bin"),
       "--call", "/proto.KV/Get", "--json", R"({"key":"!pid"})"},
      {});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  std::string pid;
  absl::Base64Unescape(report.Text("/call/answer/value"), &pid);
  EXPECT_EQ(pid, absl::StrCat(report.Number("/pid")));
}

TEST_F(InspectTest, CallsWithBytes) {
  // Get of the key "!version".
  const InspectReport report = ServerPlugin(
      {"--call", "proto.KV/Get", "--hex", "0a082176657273696f6e"}, {});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_EQ(report.Text("/call/answer_hex"), "0a0131");
  EXPECT_FALSE(report.Has("/call/answer"));
  // Put of nothing: neither question nor answer has bytes.
  const InspectReport empty =
      ServerPlugin({"--call", "proto.KV/Put", "--hex="}, {});
  EXPECT_EQ(empty.exit_code(), 0) << empty.output();
  EXPECT_TRUE(empty.Has("/call/answer_hex"));
  EXPECT_EQ(empty.Text("/call/answer_hex"), "");
}

TEST_F(InspectTest, Multiplexed) {
  for (const char* how : {"require", "if-offered", "never"}) {
    const InspectReport report =
        PluginCpp({"--multiplex", how, "--proto", KvProto(), "--call",
                   "proto.KV/Put", "--json", R"({"key": "a"})"});
    EXPECT_EQ(report.exit_code(), 0) << report.output();
    EXPECT_EQ(report.Flag("/multiplexed"), *how != 'n') << report.output();
    EXPECT_EQ(report.Text("/call/code"), "OK") << report.output();
  }
}

TEST_F(InspectTest, APluginThatCantMultiplex) {
  ExpectFailure(ServerPlugin({"--multiplex", "require"}, {}), 1,
                "mux_unsupported", "multiplex");
  const InspectReport report = ServerPlugin({"--multiplex", "if-offered"}, {});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_FALSE(report.Flag("/multiplexed"));
}

TEST_F(InspectTest, CallsByReflection) {
  const InspectReport report = Greeter({"--call", "greeter.v2.Greeter/Greet",
                                        "--json", R"({"names": ["Ada"]})"});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_EQ(report.Number("/version"), 2);
  EXPECT_TRUE(absl::StartsWith(report.Text("/described_by"), "reflection v1"));
  EXPECT_EQ(report.Methods("greeter.v2.Greeter"),
            "Greet(greeter.v2.GreetRequest) -> greeter.v2.GreetResponse\n");
  // The SDK's own, which register no descriptions.
  EXPECT_TRUE(absl::StrContains(report.Services(), "plugin.GRPCStdio\n"));
  EXPECT_EQ(report.Text("/call/answer/text"), "Hello, Ada");
}

TEST_F(InspectTest, VariablesReachThePlugin) {
  Words options = CallGet("!env:COLOR");
  options.insert(options.end(), {"--env", "COLOR=a=b"});
  const InspectReport report = ServerPlugin(options, {});
  std::string value;
  absl::Base64Unescape(report.Text("/call/answer/value"), &value);
  EXPECT_EQ(value, "a=b") << report.output();
}

TEST_F(InspectTest, APluginWithoutHealthServiceIsNoFailure) {
  const InspectReport report = ServerPlugin({}, {"--no-health"});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_TRUE(report.Has("/health/serving"));
  EXPECT_FALSE(report.Flag("/health/serving"));
  EXPECT_TRUE(absl::StrContains(report.Text("/health/text"), "UNIMPLEMENTED"));
}

// ---- 1: the plugin failed
// ----------------------------------------------------

TEST_F(InspectTest, APluginThatDoesNotStart) {
  ExpectFailure(Misbehave({}, {"exit-go-panic"}), 1, "exited_early", "pid");
  const InspectReport panic = Misbehave({}, {"exit-go-panic"});
  EXPECT_EQ(panic.Text("/error/exit"), "exit code 2");
  EXPECT_TRUE(absl::StrContains(panic.Text("/error/panic"), "out of range"));
  EXPECT_TRUE(absl::StrContains(panic.Logs(), "main.main()"));
  EXPECT_EQ(panic.Text("/phases/0/name"), "started");
  EXPECT_FALSE(panic.Has("/phases/1"));

  ExpectFailure(Misbehave({"--timeout", "300ms"}, {"silent"}), 1,
                "handshake_timeout", "nothing was written");
  ExpectFailure(Misbehave({}, {"netrpc"}), 1, "protocol", "netrpc");
  ExpectFailure(InspectReport(Kv({}, {"./missing"})), 1, "spawn",
                "does not exist");
  ExpectFailure(InspectReport(Kv({}, {"no-such-program-in-path"})), 1, "spawn",
                "PATH");
  ExpectFailure(ServerPlugin({}, {"--versions=7"}), 1, "app_version", "7");
  ExpectFailure(ServerPlugin({}, {"--tls=none"}), 1, "server_certificate",
                "no certificate");
}

// Its users may never have seen a line of C++.
TEST_F(InspectTest, HintsNameItsOwnOptions) {
  const auto hint = [](const InspectReport& report) {
    return report.Text("/error/hint");
  };
  EXPECT_THAT(hint(ServerPlugin({}, {"--versions=7"})),
              HasSubstr("supports to --versions"));
  EXPECT_THAT(hint(ServerPlugin({}, {"--tls=none"})),
              HasSubstr("; --tls if-offered accepts"));
  EXPECT_THAT(hint(ServerPlugin({"--multiplex", "require"}, {})),
              HasSubstr("set --multiplex to if-offered or never"));
  EXPECT_THAT(hint(Misbehave({"--timeout", "300ms"}, {"silent"})),
              HasSubstr("that --timeout is long enough"));
  EXPECT_THAT(hint(InspectReport(Kv({}, {"/no/plugin"}))),
              HasSubstr("check PLUGIN"));
}

TEST_F(InspectTest, ACallThatFails) {
  ExpectFailure(PluginCpp(CallGet("missing")), 1, "call_failed",
                "NOT_FOUND \"get kv_missing");
  EXPECT_EQ(PluginCpp(CallGet("missing")).Text("/call/code"), "NOT_FOUND");
  ExpectFailure(PluginCpp({"--call", "no.Such/Method", "--hex="}), 1,
                "call_failed", "UNIMPLEMENTED");
  Words slow = CallGet("!sleep:60000");
  slow.insert(slow.end(), {"--timeout", "5s"});
  ExpectFailure(ServerPlugin(slow, {"--ignore-shutdown"}), 1, "call_failed",
                "DEADLINE_EXCEEDED");
}

TEST_F(InspectTest, ACallThatThePluginDiesOf) {
  const InspectReport report = ServerPlugin(CallGet("!exit:7"), {});
  ExpectFailure(report, 1, "crashed", "ended unasked");
  EXPECT_EQ(report.Text("/error/exit"), "exit code 7");
  EXPECT_EQ(report.Number("/exit/code"), 7);
  const InspectReport killed = ServerPlugin(CallGet("!signal:9"), {});
  ExpectFailure(killed, 1, "crashed", "ended unasked");
  EXPECT_EQ(killed.Text("/error/exit"), "signal 9 (SIGKILL)");
  EXPECT_EQ(killed.Number("/exit/signal"), 9);
}

TEST_F(InspectTest, AnAnswerThatDoesNotFitItsDescriptionIsShown) {
  const std::string proto = ScratchPath("other.proto");
  std::ofstream(proto) << R"(syntax = "proto3"; package proto;
      message GetRequest { string key = 1; }
      message GetResponse { repeated fixed32 value = 1; }
      service KV { rpc Get(GetRequest) returns (GetResponse); })";
  // "!version" is answered with one byte, which is no fixed32.
  const InspectReport report =
      ServerPlugin({"--proto", proto, "--call", "proto.KV/Get", "--json",
                    R"({"key": "!version"})"},
                   {});
  EXPECT_EQ(report.exit_code(), 0) << report.output();
  EXPECT_EQ(report.Text("/call/answer/@1/bytes"), "MQ==");
}

TEST_F(InspectTest, AReportThatCantBeWritten) {
  const std::string command = absl::StrCat(
      "cd ", ScratchPath(""), " && ", RunfilePath("examples/inspect/inspect"),
      " --cookie BASIC_PLUGIN=hello --versions 1 -- ",
      RunfilePath("examples/plugin_cpp/plugin_cpp"), " >/dev/full 2>&1");
  EXPECT_EQ(std::system(command.c_str()), 256);
}

TEST_F(InspectTest, AnEndThatHasToBeForced) {
  const InspectReport report =
      ServerPlugin({}, {"--ignore-shutdown", "--ignore-sigterm"});
  ExpectFailure(report, 1, "shutdown_forced", "");
  EXPECT_EQ(report.Number("/exit/signal"), 9);
  // What was found before is there.
  EXPECT_TRUE(report.Flag("/health/serving"));
}

TEST_F(InspectTest, APluginThatNeverAnswers) {
  const InspectReport report =
      Misbehave({"--timeout=2s", "--tls=insecure"}, {"never-accepts"});
  ExpectFailure(report, 1, "connect", "tried for");
}

TEST_F(InspectTest, ARequestThatCantBeMade) {
  ExpectFailure(PluginCpp({"--call", "proto.KV/Get"}), 1, "no_reflection",
                "no server reflection");
  ExpectFailure(Greeter({"--call", "greeter.v1.Greeter/Greet"}), 1,
                "no_such_method", "greeter.v2.Greeter/Greet");
  ExpectFailure(Greeter({"--call", "greeter.v2.Greeter/Greet", "--json",
                         R"({"name": "Ada"})"}),
                1, "bad_request", "name");
  ExpectFailure(Greeter({"--call",
                         "grpc.reflection.v1alpha.ServerReflection/"
                         "ServerReflectionInfo"}),
                1, "streaming", "streaming method");
}

// ---- 2: wrong usage; no plugin is started
// -------------------------------------

TEST_F(InspectTest, WrongUsage) {
  const Words options[] = {
      {"--nonsense"},
      {"--proto", "missing.proto"},
      {"--descriptor-set", KvProto()},
      {"--call", "proto.KV/Get", "--json", "{"},
  };
  for (const Words& words : options) {
    const InspectReport report = PluginCpp(words);
    ExpectFailure(report, 2, "usage", "");
    EXPECT_FALSE(report.Has("/phases"));
  }
}

// With a file the request can be checked before.
TEST_F(InspectTest, ARequestThatDoesNotFitTheFile) {
  const Words proto = {"--proto", KvProto()};
  Words no_method = proto;
  no_method.insert(no_method.end(), {"--call", "proto.KV/Delete"});
  ExpectFailure(PluginCpp(no_method), 2, "no_such_method", "proto.KV/Get");
  Words no_field = proto;
  no_field.insert(no_field.end(),
                  {"--call", "proto.KV/Get", "--json", R"({"kay": "a"})"});
  ExpectFailure(PluginCpp(no_field), 2, "bad_request", "kay");
}

TEST_F(InspectTest, WrongUsageForPeople) {
  const HostResult result = InspectAsText(Kv({"--nonsense"}, {"./missing"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "");  // it is on stderr
}

}  // namespace
}  // namespace goplugin::testing
