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
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/client.h"
#include "goplugin/error.h"
#include "goplugin/exit_status.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/stuck_sinks.h"

namespace goplugin::testing {
namespace {

using ::testing::HasSubstr;

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

// A group that goes when it is empty.
class Group {
 public:
  Group() : path_(absl::StrCat(GroupsRoot(), "/goplugin-threads-", getpid())) {
    EXPECT_EQ(mkdir(path_.c_str(), 0755), 0) << path_ << ": takes root";
  }
  ~Group() {
    EXPECT_TRUE(Eventually([this] { return rmdir(path_.c_str()) == 0; }));
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const std::string& path() const { return path_; }
  // Allows this many threads and processes in all.
  void Allow(int count) const {
    Write(path_ + "/pids.max", absl::StrCat(count));
  }

 private:
  const std::string path_;
};

// A group that this process is in while this lives.
class LimitedGroup {
 public:
  LimitedGroup() { Join(group_.path()); }
  ~LimitedGroup() { Join(GroupsRoot()); }
  LimitedGroup(const LimitedGroup&) = delete;
  LimitedGroup& operator=(const LimitedGroup&) = delete;

  // Allows this many threads and processes more.
  void AllowMore(int count) const {
    group_.Allow(ReadNumber(group_.path() + "/pids.current") + count);
  }
  void AllowAll() const { Write(group_.path() + "/pids.max", "max"); }

 private:
  static void Join(const std::string& group) {
    Write(group + "/cgroup.procs", absl::StrCat(getpid()));
  }

  const Group group_;
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

// Whatever the plugin is allowed, it serves, or ends by itself and says why.
TEST_F(ThreadLimitTest, OfAPluginThatBeginsToServe) {
  const Group group;
  ClientOptions options = PlainOptions();
  options.handshake.magic_cookie_key = "PROBE_COOKIE";
  options.handshake.magic_cookie_value = "probe";
  options.handshake.protocol_versions = {2};
  options.start_timeout = absl::Seconds(15);
  int failed = 0;
  int served = 0;
  for (const Multiplex multiplex : {Multiplex::kNever, Multiplex::kRequire}) {
    options.multiplex = multiplex;
    for (int count = 1; count < 64; count += count < 40 ? 1 : 8) {
      SCOPED_TRACE(count);
      group.Allow(count);
      Command command{RunfilePath("tests/support/serve/probe_plugin")};
      command.cgroups = {group.path()};
      const auto client = Client::Launch(std::move(command), options);
      if (client.ok()) {
        ++served;
        EXPECT_EQ(Get(**client, "version"), "2");
        continue;
      }
      ++failed;
      const ErrorDetails details = *GetErrorDetails(client.status());
      EXPECT_EQ(details.reason, Reason::kExitedEarly) << client.status();
      EXPECT_EQ(details.exit_status, (ExitStatus{ExitStatus::Kind::kExited, 1}))
          << client.status();
      EXPECT_THAT(details.stderr_tail, HasSubstr("pids.max"));
    }
  }
  EXPECT_GT(failed, 0) << "the limit was never reached";
  EXPECT_GT(served, 0) << "it was never enough";
}

}  // namespace
}  // namespace goplugin::testing
