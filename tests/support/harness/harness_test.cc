#include "tests/support/harness/harness_test.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/harness/leftovers.h"

namespace goplugin::testing {
namespace {

// The kernel and gRPC finish some things after the call that asked for them:
// the close of a socket, the disappearance of a joined thread. Where nobody
// polls any more, gRPC looks after its sockets every 5 s, and 1.51 gives up a
// connection that began and heard nothing after 20. A busy disk takes its time
// to remove thousands of files.
constexpr absl::Duration kSettle = absl::Seconds(40);

using Holdings = std::vector<std::string>;

// What `more` has and `less` has not.
Holdings Difference(const Holdings& more, const Holdings& less) {
  Holdings difference;
  std::set_difference(more.begin(), more.end(), less.begin(), less.end(),
                      std::back_inserter(difference));
  return difference;
}

// What a test had, and has not any more; not the sockets that gRPC was still
// closing when it began.
Holdings Lost(const Holdings& before, const Holdings& after) {
  Holdings lost = Difference(before, after);
  const auto is_socket = [](const std::string& line) {
    return absl::StrContains(line, " socket:");
  };
  lost.erase(std::remove_if(lost.begin(), lost.end(), is_socket), lost.end());
  return lost;
}

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
  Holdings after = ListHoldings(temp_);
  // To look at thousands of files all the time is to hold up who removes them.
  absl::Duration pause = absl::Milliseconds(5);
  while (!Difference(after, before_).empty() && absl::Now() < give_up) {
    absl::SleepFor(pause);
    pause = std::min(2 * pause, absl::Milliseconds(500));
    after = ListHoldings(temp_);
  }
  EXPECT_EQ(Difference(after, before_), Holdings()) << "left behind";
  EXPECT_EQ(Lost(before_, after), Holdings()) << "taken away";
  std::filesystem::remove_all(root_);
}

std::string HarnessTest::ScratchPath(const std::string& name) const {
  return absl::StrCat(scratch_, "/", name);
}

}  // namespace goplugin::testing
