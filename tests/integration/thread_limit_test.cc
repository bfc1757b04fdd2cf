// A control group's limit of processes is reached: threads can't be had. That
// is an error, or for one that would only help nothing, and never the host's
// end.

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/stuck_sinks.h"

namespace goplugin::testing {
namespace {

// The first place where groups with a limit of processes can be made: version 1
// of control groups, or 2.
std::string GroupsRoot() {
  const char* const version1 = "/sys/fs/cgroup/pids";
  return access(version1, W_OK) == 0 ? version1 : "/sys/fs/cgroup";
}

void Write(const std::string& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text << std::flush;
  EXPECT_TRUE(stream) << file;
}

int ReadNumber(const std::string& file) {
  int number = -1;
  std::ifstream(file) >> number;
  return number;
}

// A group that this process is in while this lives.
class LimitedGroup {
 public:
  LimitedGroup()
      : path_(absl::StrCat(GroupsRoot(), "/goplugin-threads-", getpid())) {
    EXPECT_EQ(mkdir(path_.c_str(), 0755), 0) << path_ << ": takes root";
    Join(path_);
  }
  ~LimitedGroup() {
    Join(GroupsRoot());
    EXPECT_TRUE(Eventually([this] { return rmdir(path_.c_str()) == 0; }));
  }
  LimitedGroup(const LimitedGroup&) = delete;
  LimitedGroup& operator=(const LimitedGroup&) = delete;

  // Allows this many threads and processes more.
  void AllowMore(int count) const {
    const int now = ReadNumber(path_ + "/pids.current");
    Write(path_ + "/pids.max", absl::StrCat(now + count));
  }
  void AllowAll() const { Write(path_ + "/pids.max", "max"); }

 private:
  static void Join(const std::string& group) {
    Write(group + "/cgroup.procs", absl::StrCat(getpid()));
  }

  const std::string path_;
};

// The plugin itself is not limited.
Command Unlimited(Command command) {
  command.cgroups = {GroupsRoot()};
  return command;
}

bool IsOkOrResources(const absl::Status& status) {
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  return status.ok() ||
         (details.has_value() && !details->hint.empty() &&
          (ReasonName(details->reason) == absl::string_view("resources") ||
           details->reason == Reason::kSpawn));
}

class ThreadLimitTest : public HarnessTest {
 protected:
  // gRPC's own threads, which end the process where they can't be had, are
  // there already.
  void SetUp() override {
    HarnessTest::SetUp();
    ASSERT_NE(MustLaunch(ServerPlugin({})), nullptr);
  }
};

TEST_F(ThreadLimitTest, AtTheFirstLaunch) {
  const LimitedGroup group;
  int failed = 0;
  for (int more = 0; more < 8; ++more) {
    group.AllowMore(more);
    const auto client =
        Client::Launch(Unlimited(ServerPlugin({})), PlainOptions());
    EXPECT_TRUE(IsOkOrResources(client.status())) << client.status();
    if (!client.ok()) ++failed;
    group.AllowAll();
  }
  EXPECT_GT(failed, 0) << "the limit was never reached";
  EXPECT_NE(MustLaunch(ServerPlugin({})), nullptr);
}

TEST_F(ThreadLimitTest, ForAHelperOfThePool) {
  const LimitedGroup group;
  const auto gate = std::make_shared<Gate>();
  ClientOptions options = PlainOptions();
  options.log_sink = std::make_shared<StuckLogSink>(gate);
  const auto stuck = MustLaunch(Unlimited(ServerPlugin({})), options);
  const auto log = std::make_shared<RecordingLogSink>();
  options.log_sink = log;
  const auto other = MustLaunch(Unlimited(ServerPlugin({})), options);
  ASSERT_NE(stuck, nullptr);
  ASSERT_NE(other, nullptr);
  group.AllowMore(0);
  EXPECT_EQ(Get(*stuck, "!raw-stderr:stuck"), "");
  ASSERT_TRUE(gate->AwaitArrivals(1, kPatience));
  EXPECT_EQ(Get(*other, "!raw-stderr:heard"), "");
  EXPECT_EQ(other->Ping(), absl::OkStatus());
  // Long enough for the pool to have seen that it is stuck.
  absl::SleepFor(absl::Seconds(1));
  gate->Open();
  EXPECT_TRUE(log->WaitForMessage("heard"));
  group.AllowAll();
}

}  // namespace
}  // namespace goplugin::testing
