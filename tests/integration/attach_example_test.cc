// examples/attach, as a person runs it: a plugin behind a socket in a shared
// directory, and one over tcp with certificates on both sides.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class AttachExampleTest : public HarnessTest {};

TEST_F(AttachExampleTest, BothWays) {
  const std::string directory = RunfilePath("examples/attach/");
  // c-ares, which gRPC resolves names with, forgets 10 bytes at each name,
  // which LeakSanitizer would tell of.
  const std::string command = absl::StrCat(
      "LSAN_OPTIONS=detect_leaks=0 ", directory, "walk.sh ", directory,
      "server ", directory, "attach ", directory, "make_certificates.sh");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace goplugin::testing
