#include "tests/support/harness/harness_test.h"

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/harness/leftovers.h"

namespace goplugin::testing {
namespace {

// The kernel and gRPC finish some things after the call that asked for them:
// the close of a socket, the disappearance of a joined thread. Where nobody
// polls any more, gRPC looks after its sockets every 5 s.
constexpr absl::Duration kSettle = absl::Seconds(15);

}  // namespace

HarnessTest::HarnessTest() {
  AdoptOrphans();
  WarmUpGrpc();
}

HarnessTest::~HarnessTest() = default;

void HarnessTest::SetUp() {
  char pattern[] = "/tmp/gp-XXXXXX";
  ASSERT_NE(mkdtemp(pattern), nullptr);
  root_ = pattern;
  temp_ = absl::StrCat(root_, "/t");
  scratch_ = absl::StrCat(root_, "/s");
  std::filesystem::create_directory(temp_);
  std::filesystem::create_directory(scratch_);
  setenv("TMPDIR", temp_.c_str(), 1);
  setenv("XDG_RUNTIME_DIR", temp_.c_str(), 1);
  before_ = ListHoldings(temp_);
}

void HarnessTest::TearDown() {
  const absl::Time give_up = absl::Now() + kSettle;
  std::vector<std::string> after = ListHoldings(temp_);
  while (after != before_ && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(5));
    after = ListHoldings(temp_);
  }
  EXPECT_EQ(after, before_) << "left behind:\n" << absl::StrJoin(after, "\n");
  std::filesystem::remove_all(root_);
}

std::string HarnessTest::ScratchPath(const std::string& name) const {
  return absl::StrCat(scratch_, "/", name);
}

}  // namespace goplugin::testing
