// examples/supervised, as a person runs it.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/conformance/run_host.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class SupervisedExampleTest : public HarnessTest {
 protected:
  // What it is told on stdin is what `words`, of the shell, write.
  HostResult Run(const std::string& plugin, const std::string& words) const {
    return RunHost({{"/bin/sh", "-c", words + " | \"$0\" \"$1\" 2>&1",
                     RunfilePath("examples/supervised/supervised"), plugin},
                    ScratchPath(""),
                    {},
                    ScratchPath("output")});
  }

  const std::string plugin_ = RunfilePath("examples/plugin_cpp/plugin_cpp");
};

// In this order.
void ExpectSays(const HostResult& result,
                const std::vector<std::string>& texts) {
  size_t at = 0;
  for (const std::string& text : texts) {
    at = result.output.find(text, at);
    ASSERT_NE(at, std::string::npos) << text << "\nin\n" << result.output;
  }
}

TEST_F(SupervisedExampleTest, AKillAndAnUpgradeFailNoCall) {
  const HostResult result =
      Run(plugin_, "{ sleep 1; echo kill; sleep 1; echo upgrade " + plugin_ +
                       "; echo upgrade /no/such/plugin; sleep 1; }");
  EXPECT_EQ(result.exit_code, 0) << result.output;
  ExpectSays(result, {"generation 1: pid ", "state: restarting; ", "SIGKILL",
                      "generation 2: pid ", "state: ready",
                      "generation 3: pid ", "upgrade: done",
                      "upgrade: FAILED_PRECONDITION: ", "/no/such/plugin",
                      " calls, 0 failed, the slowest took "});
}

TEST_F(SupervisedExampleTest, OneThatDoesNotStart) {
  const HostResult result = Run("/bin/false", "true");
  EXPECT_EQ(result.exit_code, 1) << result.output;
  ExpectSays(result, {"; hint: "});
}

}  // namespace
}  // namespace goplugin::testing
