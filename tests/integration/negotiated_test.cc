// One host for several versions of its service: ByVersion with real plugins,
// and examples/negotiated.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/by_version.h"
#include "goplugin/client.h"
#include "tests/conformance/run_host.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using NegotiatedTest = HarnessTest;

// What each handler did: its version, and what the plugin says it serves.
const ByVersion<std::string>& Handlers() {
  static const auto* const handlers = new ByVersion<std::string>{
      {1, [](Client& client) { return "one " + Get(client, "!version"); }},
      {2, [](Client& client) { return "two " + Get(client, "!version"); }},
  };
  return *handlers;
}

std::unique_ptr<Client> LaunchWith(const std::string& plugin_versions,
                                   std::vector<std::uint32_t> ours) {
  ClientOptions options = PlainOptions();
  options.handshake.protocol_versions = std::move(ours);
  return MustLaunch(ServerPlugin({"--versions=" + plugin_versions}),
                    std::move(options));
}

TEST_F(NegotiatedTest, TheHandlerOfTheNegotiatedVersionIsTaken) {
  const struct {
    const char* plugin;
    const char* result;
  } kCases[] = {{"1", "one 1"}, {"1,2", "two 2"}, {"2,3", "two 2"}};
  for (const auto& c : kCases) {
    std::unique_ptr<Client> client =
        LaunchWith(c.plugin, Handlers().versions());
    ASSERT_NE(client, nullptr);
    const absl::StatusOr<std::string> result = Handlers().For(*client);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result, c.result);
  }
}

TEST_F(NegotiatedTest, AVersionThatWasOfferedWithoutAHandler) {
  std::unique_ptr<Client> client = LaunchWith("3", {1, 2, 3});
  ASSERT_NE(client, nullptr);
  ExpectError(Handlers().For(*client).status(),
              {Reason::kAppVersion, "version 3", "versions()"});
}

TEST_F(NegotiatedTest, TheExampleSpeaksBothVersions) {
  const auto run = [&](std::vector<std::string> plugin_arguments) {
    std::vector<std::string> argv = {RunfilePath("examples/negotiated/host"),
                                     RunfilePath("examples/negotiated/plugin")};
    argv.insert(argv.end(), plugin_arguments.begin(), plugin_arguments.end());
    return RunHost({argv, temp(), {}, ScratchPath("output")});
  };
  const HostResult now = run({});
  EXPECT_EQ(now.exit_code, 0);
  EXPECT_EQ(now.output, "version 2\nHello, Ada, Grace\n");
  const HostResult old = run({"1"});
  EXPECT_EQ(old.exit_code, 0);
  EXPECT_EQ(old.output, "version 1\nHello, Ada\nHello, Grace\n");
}

}  // namespace
}  // namespace goplugin::testing
