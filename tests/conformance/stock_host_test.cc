// Hosts that others wrote, driving the C++ plugin of examples/plugin_cpp, which
// is built on this SDK's Serve.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

std::string PluginPath() {
  return RunfilePath("examples/plugin_cpp/plugin_cpp");
}

std::string ServePluginPath() {
  return RunfilePath("tests/conformance/serve_plugin");
}

class StockHostTest : public PeersTest {
 protected:
  using PeersTest::PeersTest;

  HostResult Run(std::vector<std::string> argv,
                 std::vector<std::string> env = {}) {
    argv[0] = PeerPath(argv[0]);
    return RunHost(
        {std::move(argv), data(), std::move(env), ScratchPath("output")});
  }
};

class GoHostTest : public StockHostTest {
 protected:
  GoHostTest() : StockHostTest({"host"}) {}

  // Runs the host against the plugin. After it no process may be left (the
  // harness adopts what a host loses), no socket, and nothing had to be killed.
  std::string Drive(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "host");
    flags.insert(flags.end(), plugin_.begin(), plugin_.end());
    const HostResult result = Run(std::move(flags));
    const HostReport report(result.output);
    EXPECT_TRUE(report.valid()) << result.output;
    EXPECT_EQ(result.exit_code, report.Flag("/ok") ? 0 : 1);
    if (report.Text("/pid").empty()) return result.output;  // never ready
    EXPECT_TRUE(report.Flag("/exited")) << result.output;
    EXPECT_FALSE(report.Flag("/forced")) << result.output;
    int pid = 0;
    EXPECT_TRUE(absl::SimpleAtoi(report.Text("/pid"), &pid));
    EXPECT_TRUE(kill(pid, 0) != 0 && errno == ESRCH);
    if (report.Text("/network") == "unix") {
      EXPECT_FALSE(std::filesystem::exists(report.Text("/address")))
          << report.Text("/address");
    }
    return result.output;
  }

  std::vector<std::string> plugin_ = {PluginPath()};
};

TEST_F(GoHostTest, PlaintextPutGetPing) {
  const HostReport report(
      Drive({"-put", "hello=world", "-get", "hello", "-ping"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Text("/protocol"), "grpc");
  EXPECT_EQ(report.Number("/version"), 1);
  EXPECT_EQ(report.Text("/network"), "unix");
  EXPECT_EQ(report.Text("/steps/1/value"), "world\n\nWritten from plugin_cpp");
  EXPECT_EQ(report.Text("/steps/2/error"), "");
}

TEST_F(GoHostTest, AutoMtlsPutGetPing) {
  const HostReport report(
      Drive({"-automtls", "-put", "hello=world", "-get", "hello", "-ping"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Text("/steps/1/value"), "world\n\nWritten from plugin_cpp");
}

TEST_F(GoHostTest, ErrorsKeepTheirCodeAndText) {
  const HostReport report(
      Drive({"-automtls", "-get", "missing", "-put", "../x=1"}));
  EXPECT_FALSE(report.Flag("/ok"));
  EXPECT_TRUE(absl::StrContains(report.Text("/steps/0/error"),
                                "code = NotFound desc = get kv_missing"))
      << report.Text("/steps/0/error");
  EXPECT_TRUE(absl::StrContains(report.Text("/steps/1/error"),
                                "code = InvalidArgument"))
      << report.Text("/steps/1/error");
}

TEST_F(GoHostTest, PrintsArriveOverStdio) {
  const HostReport report(
      Drive({"-automtls", "-syncstdout", "-put", "one=1", "-put", "two=2"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Text("/sync_stdout"), "storing one\nstoring two\n");
}

TEST_F(GoHostTest, LogLinesKeepTheirLevel) {
  const std::string output = Drive({"-logs", "-put", "one=1", "-get", "none"});
  EXPECT_TRUE(absl::StrContains(output, R"("@message":"put")")) << output;
  EXPECT_TRUE(absl::StrContains(output, R"("@message":"no such key")"))
      << output;
  EXPECT_TRUE(absl::StrContains(output, R"("@level":"warn")")) << output;
  EXPECT_TRUE(absl::StrContains(output, R"("key":"none")")) << output;
}

TEST_F(GoHostTest, TheHighestCommonVersion) {
  const HostReport report(
      Drive({"-versions", "1,2,3", "-put", "a=b", "-get", "a"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Number("/version"), 1);
}

TEST_F(GoHostTest, NoCommonVersionIsTheHostsToReport) {
  const HostReport report(Drive({"-versions", "2,3"}));
  EXPECT_FALSE(report.Flag("/ok"));
  EXPECT_TRUE(absl::StrContains(report.Text("/error"),
                                "incompatible API version with plugin. Plugin "
                                "version: 1"))
      << report.Text("/error");
  RemoveWhatTheHostLeft(temp());
}

TEST_F(GoHostTest, AnotherCookieIsExplainedToPeople) {
  const std::string output = Drive({"-cookie-value", "other"});
  EXPECT_FALSE(HostReport(output).Flag("/ok"));
  EXPECT_TRUE(absl::StrContains(output, "plugin")) << output;
}

TEST_F(GoHostTest, BigValuesBothWays) {
  constexpr size_t kPut = size_t{64} << 20;
  constexpr size_t kGet = size_t{6} << 20;
  std::ofstream(absl::StrCat(data(), "/kv_stored")) << std::string(kGet, 'x');
  const HostReport report(
      Drive({"-automtls", "-put-size", absl::StrCat("big=", kPut), "-get",
             "stored"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_GT(std::filesystem::file_size(absl::StrCat(data(), "/kv_big")), kPut);
  EXPECT_EQ(report.Text("/steps/1/value").size(), kGet);
}

TEST_F(GoHostTest, WithoutTheHostsEnvironment) {
  const HostReport report(
      Drive({"-skiphostenv", "-env", absl::StrCat("TMPDIR=", temp()),
             "-automtls", "-put", "a=b", "-get", "a"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_TRUE(absl::StartsWith(report.Text("/address"), temp()))
      << report.Text("/address");
}

TEST_F(GoHostTest, Multiplexed) {
  for (const char* tls : {"-automtls", "-automtls=false"}) {
    const HostReport report(Drive({"-mux", tls, "-syncstdout", "-put",
                                   "hello=world", "-get", "hello", "-ping"}));
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Text("/network"), "unix");
    EXPECT_EQ(report.Text("/steps/1/value"),
              "world\n\nWritten from plugin_cpp");
    EXPECT_EQ(report.Text("/sync_stdout"), "storing hello\n");
  }
}

TEST_F(GoHostTest, MultiplexedOverTcp) {
  plugin_ = {ServePluginPath(), "--network=tcp"};
  for (const char* tls : {"-automtls", "-automtls=false"}) {
    const HostReport report(Drive(
        {"-mux", tls, "-syncstdout", "-put", "a=b", "-get", "a", "-ping"}));
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Text("/network"), "tcp");
    EXPECT_EQ(report.Text("/steps/1/value"), "b from version 1");
    EXPECT_EQ(report.Text("/sync_stdout"), "storing a\n");
  }
}

TEST_F(GoHostTest, MultiplexedBigValuesBothWays) {
  constexpr size_t kPut = size_t{64} << 20;
  constexpr size_t kGet = size_t{6} << 20;
  std::ofstream(absl::StrCat(data(), "/kv_stored")) << std::string(kGet, 'x');
  const HostReport report(
      Drive({"-mux", "-automtls", "-put-size", absl::StrCat("big=", kPut),
             "-get", "stored"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_GT(std::filesystem::file_size(absl::StrCat(data(), "/kv_big")), kPut);
  EXPECT_EQ(report.Text("/steps/1/value").size(), kGet);
}

// Prints of several windows; the host takes them as fast as it can.
TEST_F(GoHostTest, MultiplexedPrints) {
  constexpr int kPrints = 2000;
  std::vector<std::string> flags = {"-mux", "-syncstdout"};
  std::string wanted;
  for (int i = 0; i < kPrints; ++i) {
    const std::string key = absl::StrCat(std::string(190, 'k'), i % 10);
    flags.insert(flags.end(), {"-put", absl::StrCat(key, "=v")});
    absl::StrAppend(&wanted, "storing ", key, "\n");
  }
  const HostReport report(Drive(std::move(flags)));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Text("/sync_stdout"), wanted);
}

// Whatever the pieces are that a host asks for.
TEST_F(GoHostTest, MultiplexedWithoutEnvironmentForAGroup) {
  const HostReport report(
      Drive({"-mux", "-automtls", "-skiphostenv", "-env",
             absl::StrCat("TMPDIR=", temp()), "-group", absl::StrCat(getegid()),
             "-put", "one=1", "-get", "one", "-ping"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
}

TEST_F(GoHostTest, MultiplexedTheHighestCommonVersion) {
  plugin_ = {ServePluginPath(), "--versions=2,3,5"};
  const HostReport report(
      Drive({"-mux", "-versions", "3,2,4", "-put", "a=b", "-get", "a"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_EQ(report.Number("/version"), 3);
}

// All three at once: the plugin has no environment but the protocol's, its
// prints arrive, and what it writes to stderr by itself stays there.
TEST_F(GoHostTest, WithoutEnvironmentAndWithStdio) {
  for (const char* tls : {"-automtls", "-automtls=false"}) {
    const HostReport report(
        Drive({tls, "-skiphostenv", "-env", absl::StrCat("TMPDIR=", temp()),
               "-syncstdout", "-put", "one=1", "-get", "one", "-ping"}));
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Text("/sync_stdout"), "storing one\n");
    EXPECT_EQ(report.Text("/sync_stderr"), "");
    EXPECT_TRUE(absl::StrContains(report.Text("/stderr"), "\"put\""))
        << report.Text("/stderr");
  }
}

TEST_F(GoHostTest, OverTcp) {
  plugin_ = {ServePluginPath(), "--network=tcp"};
  for (const char* tls : {"-automtls", "-automtls=false"}) {
    const HostReport report(
        Drive({tls, "-syncstdout", "-put", "a=b", "-get", "a", "-ping"}));
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Text("/network"), "tcp");
    EXPECT_EQ(report.Text("/steps/1/value"), "b from version 1");
    EXPECT_EQ(report.Text("/sync_stdout"), "storing a\n");
  }
}

TEST_F(GoHostTest, ThePluginServesTheVersionThatWasAgreedUpon) {
  plugin_ = {ServePluginPath(), "--versions=2,3,5"};
  for (const auto& [offered, agreed] :
       {std::pair("1,2", 2), std::pair("3,2,4", 3), std::pair("5,6", 5)}) {
    const HostReport report(
        Drive({"-versions", offered, "-put", "a=b", "-get", "a"}));
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Number("/version"), agreed);
    EXPECT_EQ(report.Text("/steps/1/value"),
              absl::StrCat("b from version ", agreed));
  }
}

TEST_F(GoHostTest, ThePluginsOwnEndIsWaitedFor) {
  const std::string after = absl::StrCat(data(), "/after");
  plugin_ = {ServePluginPath(), "--after=" + after};
  const HostReport report(Drive({"-put", "a=b"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
  EXPECT_TRUE(std::filesystem::exists(after));
}

TEST_F(GoHostTest, WithAChecksum) {
  const std::string sum = Sha256OfFile(PluginPath());
  const HostReport report(Drive({"-sha256", absl::BytesToHexString(sum),
                                 "-automtls", "-put", "a=b", "-get", "a"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
}

TEST_F(GoHostTest, WithAnothersChecksumItIsNotRun) {
  const std::string sum = Sha256OfFile(ServePluginPath());
  const HostReport report(
      Drive({"-sha256", absl::BytesToHexString(sum), "-put", "a=b"}));
  EXPECT_FALSE(report.Flag("/ok"));
  EXPECT_TRUE(absl::StrContains(report.Text("/error"), "checksum"))
      << report.Text("/error");
  EXPECT_EQ(report.Text("/pid"), "");
}

TEST_F(GoHostTest, ForAGroup) {
  const HostReport report(
      Drive({"-group", absl::StrCat(getegid()), "-put", "a=b", "-get", "a"}));
  EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
}

class HashicorpHostTest : public StockHostTest {
 protected:
  HashicorpHostTest()
      : StockHostTest({"hashicorp-host", "hashicorp-negotiated-host"}) {}

  HostResult Host(std::vector<std::string> words) {
    words.insert(words.begin(), "hashicorp-host");
    return Run(std::move(words),
               {"KV_PROTO=grpc", "KV_PLUGIN=exec " + PluginPath()});
  }
};

TEST_F(HashicorpHostTest, PutAndGet) {
  const HostResult put = Host({"put", "hello", "world"});
  EXPECT_EQ(put.exit_code, 0) << put.output;
  const HostResult get = Host({"get", "hello"});
  EXPECT_EQ(get.exit_code, 0) << get.output;
  EXPECT_EQ(get.output, "world\n\nWritten from plugin_cpp\n");
}

TEST_F(HashicorpHostTest, AMissingKeyIsAnError) {
  const HostResult get = Host({"get", "nothing"});
  EXPECT_EQ(get.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(get.output, "NotFound")) << get.output;
}

// It starts ./kv-plugin, and wants version 3.
TEST_F(HashicorpHostTest, Negotiated) {
  const std::string plugin = absl::StrCat(data(), "/kv-plugin");
  std::ofstream(plugin) << "#!/bin/sh\nexec '" << ServePluginPath()
                        << "' --versions=2,3,4\n";
  std::filesystem::permissions(plugin, std::filesystem::perms::owner_all);
  const HostResult get =
      Run({"hashicorp-negotiated-host", "get", "hello"}, {"KV_PROTO=grpc"});
  EXPECT_EQ(get.exit_code, 0) << get.output;
  EXPECT_EQ(get.output, " from version 3\n");
}

class PyviderHostTest : public StockHostTest {
 protected:
  PyviderHostTest() : StockHostTest({"pyvider-host"}) {}

  void Drive(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "pyvider-host");
    for (const char* word : {"--put", "hello=world", "--get", "hello"}) {
      flags.emplace_back(word);
    }
    flags.push_back(PluginPath());
    const HostResult result = Run(std::move(flags));
    const HostReport report(result.output);
    EXPECT_EQ(result.exit_code, 0) << result.output;
    EXPECT_TRUE(report.Flag("/ok")) << result.output;
    EXPECT_EQ(report.Number("/version"), 1);
    EXPECT_EQ(report.Text("/steps/1/value"),
              "world\n\nWritten from plugin_cpp");
    if (report.Text("/network") == "unix") {
      EXPECT_FALSE(std::filesystem::exists(report.Text("/address")));
    }
  }
};

TEST_F(PyviderHostTest, Plaintext) { Drive({}); }

TEST_F(PyviderHostTest, AutoMtls) { Drive({"--automtls"}); }

}  // namespace
}  // namespace goplugin::testing
