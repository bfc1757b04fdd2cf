// Limits, control groups and descriptors of the child, each step's failure, and
// the host, which stays as it was. What takes root is skipped without it.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/spawn.h"
#include "gtest/gtest.h"
#include "tests/unit/process/process_test_support.h"

namespace goplugin::internal {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// At its end the host must be what it was at its start.
class SpawnLimitsTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    before_ = HostState();
  }
  void TearDown() override {
    EXPECT_EQ(HostState(), before_);
    ProcessTest::TearDown();
  }

 private:
  std::string before_;
};

void ExpectFailure(const SpawnRequest& request, const std::string& evidence,
                   const std::string& hint) {
  const absl::Status status = Spawn(request).status();
  EXPECT_EQ(Details(status).reason, Reason::kSpawn) << status;
  EXPECT_THAT(Evidence(status), HasSubstr(evidence));
  EXPECT_THAT(Details(status).hint, HasSubstr(hint));
}

TEST_F(SpawnLimitsTest, ResourceLimitsAreTheChildsAlone) {
  SpawnRequest request = ChildRequest({"cat", "/proc/self/limits"});
  request.command.resource_limits = {{RLIMIT_NOFILE, 77, 88},
                                     {RLIMIT_CORE, 0, 0},
                                     {RLIMIT_FSIZE, 123456, 234567}};
  const std::string limits = OutputOf(request);
  EXPECT_THAT(limits, ContainsRegex("Max open files +77 +88 "));
  EXPECT_THAT(limits, ContainsRegex("Max core file size +0 +0 "));
  EXPECT_THAT(limits, ContainsRegex("Max file size +123456 +234567 "));
}

TEST_F(SpawnLimitsTest, HardLimitAboveTheHosts) {
  EXPECT_EQ(InFork([]() -> std::string {
              const struct rlimit low = {50, 60};
              if (setrlimit(RLIMIT_NOFILE, &low) != 0) return "setrlimit";
              // Root may; nobody may without the capability.
              if (!DropCapabilities()) return "capabilities";
              SpawnRequest request = ChildRequest({});
              request.command.resource_limits = {
                  {RLIMIT_CORE, 0, 0},
                  {RLIMIT_NOFILE, 50, Command::ResourceLimit::kUnlimited}};
              ExpectFailure(request, "setting its resource limits",
                            "CAP_SYS_RESOURCE");
              ExpectFailure(request,
                            "RLIMIT_NOFILE of 50 (hard: unlimited)\n"
                            "the host's own hard limit is 60\n",
                            "lower");
              return "";
            }),
            "");
}

TEST_F(SpawnLimitsTest, UnknownResource) {
  SpawnRequest request = ChildRequest({});
  request.command.resource_limits = {{1234, 1, 1}};
  ExpectFailure(request, "resource 1234 of 1 (hard: 1)", "kernel knows");
}

TEST_F(SpawnLimitsTest, NiceIsAddedToTheHosts) {
  SpawnRequest request = ChildRequest({"nice"});
  const int own = getpriority(PRIO_PROCESS, 0);
  request.command.nice = 3;
  EXPECT_EQ(OutputOf(request), absl::StrCat(std::min(own + 3, 19)));
  request.command.nice = 39;
  EXPECT_EQ(OutputOf(request), "19");
}

TEST_F(SpawnLimitsTest, NegativeNiceTakesARight) {
  EXPECT_EQ(InFork([]() -> std::string {
              const struct rlimit none = {0, 0};
              if (setrlimit(RLIMIT_NICE, &none) != 0) return "setrlimit";
              if (!DropCapabilities()) return "capabilities";
              SpawnRequest request = ChildRequest({});
              request.command.nice = -5;
              ExpectFailure(request, "setting its nice value", "CAP_SYS_NICE");
              ExpectFailure(request, "Command::nice is -5", "0 or more");
              return "";
            }),
            "");
}

TEST_F(SpawnLimitsTest, NoNewPrivileges) {
  SpawnRequest request = ChildRequest({"cat", "/proc/self/status"});
  EXPECT_THAT(OutputOf(request), HasSubstr("NoNewPrivs:\t0"));
  request.command.no_new_privileges = true;
  EXPECT_THAT(OutputOf(request), HasSubstr("NoNewPrivs:\t1"));
}

// A pipe with a line in it, to be read by the child.
struct Line {
  explicit Line(const std::string& text) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader.reset(ends[0]);
    const UniqueFd writer(ends[1]);
    EXPECT_EQ(write(writer.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  UniqueFd reader;
};

TEST_F(SpawnLimitsTest, DescriptorsArriveUnderTheirNumbers) {
  const Line line("hello");
  SpawnRequest request = ChildRequest({"read", "7"});
  request.command.descriptors = {{line.reader.get(), 7}};
  EXPECT_EQ(OutputOf(request), "hello");
  request.command.args = {"fds"};
  EXPECT_EQ(OutputOf(request), "0\n1\n2\n7\n");
  EXPECT_EQ(fcntl(line.reader.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(SpawnLimitsTest, DescriptorsMayChangePlaces) {
  const Line a("a");
  const Line b("b");
  // Each takes the other's number, or its own.
  const Command::Descriptor swapped[] = {{a.reader.get(), b.reader.get()},
                                         {b.reader.get(), a.reader.get()}};
  SpawnRequest request = ChildRequest({"read", absl::StrCat(b.reader.get())});
  request.command.descriptors = {swapped[0], swapped[1]};
  EXPECT_EQ(OutputOf(request), "a");
  request.command.args[1] = absl::StrCat(a.reader.get());
  EXPECT_EQ(OutputOf(request), "b");

  const Line c("c");
  request.command.args[1] = absl::StrCat(c.reader.get());
  request.command.descriptors = {{c.reader.get(), c.reader.get()}};
  EXPECT_EQ(OutputOf(request), "c");
}

TEST_F(SpawnLimitsTest, DescriptorsWithoutCloseRange) {
  EXPECT_EQ(InFork([]() -> std::string {
              const Line line("hello");
              const UniqueFd leaky(open("/dev/null", O_RDONLY));
              if (!FailSystemCall(SYS_close_range, ENOSYS)) return "seccomp";
              SpawnRequest request = ChildRequest({"fds"});
              request.command.descriptors = {{line.reader.get(), 30}};
              EXPECT_EQ(OutputOf(request), "0\n1\n2\n30\n");
              return "";
            }),
            "");
}

TEST_F(SpawnLimitsTest, DescriptorThatIsNotOpen) {
  SpawnRequest request = ChildRequest({});
  request.command.descriptors = {{0, 7}, {654321, 8}};
  ExpectFailure(request, "duplicating a descriptor", "open descriptor");
  ExpectFailure(request, "descriptor 654321 of the host, to be 8", "keep it");
}

TEST_F(SpawnLimitsTest, DescriptorAboveTheChildsLimit) {
  SpawnRequest request = ChildRequest({});
  request.command.resource_limits = {{RLIMIT_NOFILE, 40, 40}};
  request.command.descriptors = {{0, 39}, {0, 40}};
  ExpectFailure(request, "giving it a descriptor", "RLIMIT_NOFILE");
  ExpectFailure(request, "descriptor 0 of the host, to be 40", "below");
}

TEST_F(SpawnLimitsTest, ControlGroupThatIsNotThere) {
  SpawnRequest request = ChildRequest({});
  request.command.cgroups = {"/sys/fs/cgroup/goplugin-no-such-group"};
  ExpectFailure(request, "opening the control group's cgroup.procs", "mkdir");
  ExpectFailure(request, "goplugin-no-such-group\" does not exist",
                "/sys/fs/cgroup");
}

TEST_F(SpawnLimitsTest, DirectoryThatIsNoControlGroup) {
  SpawnRequest request = ChildRequest({});
  request.command.cgroups = {directory()};
  ExpectFailure(request, "directory, mode", "mkdir");
  // Nothing blocks on it either.
  ASSERT_EQ(mkfifo((directory() + "/cgroup.procs").c_str(), 0600), 0);
  ExpectFailure(request, "opening the control group's", "cgroup v2");
}

// A new control group below the first hierarchy in which one can be made.
class ControlGroup {
 public:
  ControlGroup() {
    for (const char* place :
         {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids",
          "/sys/fs/cgroup/freezer"}) {
      if (access(absl::StrCat(place, "/cgroup.procs").c_str(), W_OK) != 0) {
        continue;
      }
      name_ = absl::StrCat("goplugin-test-", getpid());
      path_ = absl::StrCat(place, "/", name_);
      if (mkdir(path_.c_str(), 0755) == 0) return;
      path_.clear();
    }
  }
  ~ControlGroup() {
    if (path_.empty()) return;
    EXPECT_EQ(rmdir(path_.c_str()), 0);
  }
  // "" where none can be made.
  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }

 private:
  std::string path_, name_;
};

TEST_F(SpawnLimitsTest, ControlGroupIsJoined) {
  const ControlGroup group;
  if (group.path().empty()) GTEST_SKIP() << "no control group can be made";
  SpawnRequest request = ChildRequest({"cat", "/proc/self/cgroup"});
  request.command.cgroups = {group.path()};
  EXPECT_THAT(OutputOf(request), HasSubstr("/" + group.name()));
}

TEST_F(SpawnLimitsTest, ControlGroupThatRefuses) {
  EXPECT_EQ(
      InFork([this]() -> std::string {
        // A file in its place that takes no bytes.
        if (symlink("/dev/full", (directory() + "/cgroup.procs").c_str()) !=
            0) {
          return "symlink";
        }
        SpawnRequest request = ChildRequest({});
        request.command.cgroups = {directory()};
        ExpectFailure(request, "moving it to its control group", "cpuset.cpus");
        return "";
      }),
      "");
}

TEST_F(SpawnLimitsTest, AFailureLeavesNothing) {
  SpawnRequest request = ChildRequest({});
  request.command.descriptors = {{0, 7}, {0, 8}};
  request.command.cgroups = {"/proc/self/no-such-group"};
  const std::set<int> before = OpenDescriptors();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Spawn(request).ok());
  request.command.cgroups = {};
  request.command.resource_limits = {{1234, 1, 1}};
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Spawn(request).ok());
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace goplugin::internal
