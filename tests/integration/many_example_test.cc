// examples/many, as a person runs it.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/conformance/run_host.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class ManyExampleTest : public HarnessTest {
 protected:
  // With both of its outputs.
  HostResult Run(const std::vector<std::string>& plugins) const {
    std::vector<std::string> argv = {"/bin/sh", "-c", "exec \"$0\" \"$@\" 2>&1",
                                     RunfilePath("examples/many/many")};
    argv.insert(argv.end(), plugins.begin(), plugins.end());
    return RunHost({argv, ScratchPath(""), {}, ScratchPath("output")});
  }

  const std::string plugin_ = RunfilePath("examples/plugin_cpp/plugin_cpp");
};

void ExpectSays(const HostResult& result, const std::string& text) {
  EXPECT_TRUE(absl::StrContains(result.output, text)) << text << "\nin\n"
                                                      << result.output;
}

TEST_F(ManyExampleTest, SeveralAtOnce) {
  const HostResult result = Run({plugin_, plugin_, plugin_});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  for (int i = 0; i < 3; ++i) {
    ExpectSays(result, absl::StrCat("stored in ", i, " (", plugin_, ")\n"));
    ExpectSays(result, absl::StrCat(i, ": [INFO]  kv: put: key=many", i, "\n"));
  }
}

TEST_F(ManyExampleTest, OneThatDoesNotStartHoldsNobodyUp) {
  const HostResult result = Run({plugin_, "/bin/false", plugin_});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  ExpectSays(result, "1 (/bin/false): UNAVAILABLE: ");
  ExpectSays(result, "; hint: ");
  ExpectSays(result, "stored in 0 ");
  ExpectSays(result, "stored in 2 ");
}

TEST_F(ManyExampleTest, OneThatEndsByItselfIsTold) {
  const std::string script = ScratchPath("dies");
  std::ofstream(script) << "#!/bin/sh\nexec "
                        << RunfilePath("tests/plugins/server_plugin")
                        << " --die-in-call=exit\n";
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  const HostResult result = Run({plugin_, script});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  ExpectSays(result, absl::StrCat("1 (", script, "): UNAVAILABLE: "));
  ExpectSays(result, "ended unasked");
  ExpectSays(result, "exit code 3");
  ExpectSays(result, "stored in 0 ");
}

}  // namespace
}  // namespace goplugin::testing
