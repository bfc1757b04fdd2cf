// Limits, control groups, users and descriptors of a plugin, as it sees them
// itself, and what can't be had of them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

// Of nobody.
constexpr uint32_t kUid = 54321;
constexpr uint32_t kGid = 54322;

class LimitsTest : public HarnessTest {
 protected:
  // The command can't be started in time, and the error says why.
  static void ExpectSpawnFault(const Command& command,
                               const std::string& evidence,
                               const std::string& hint) {
    const absl::Time start = absl::Now();
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(command, PlainOptions());
    EXPECT_LT(absl::Now() - start, kGrace);
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), {Reason::kSpawn, evidence, hint});
  }
};

bool Contains(const std::string& text, const std::string& part) {
  return absl::StrContains(text, part);
}

// The field of /proc/PID/stat with the nice value, counted after the name.
std::string NiceOf(const Client& client) {
  const std::string stat = Get(client, "!proc:stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(stat.rfind(')') + 2), ' ');
  return fields.size() > 16 ? fields[16] : stat;
}

TEST_F(LimitsTest, ReachThePlugin) {
  Command command = ServerPlugin({});
  command.resource_limits = {{RLIMIT_NOFILE, 333, 444}, {RLIMIT_CORE, 0, 0}};
  command.nice = 2;
  command.no_new_privileges = true;
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  command.descriptors = {{null, 55}};
  std::unique_ptr<Client> client = MustLaunch(command, KvOptions());
  close(null);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  const std::vector<std::string> limits =
      absl::StrSplit(Get(*client, "!proc:limits"), '\n');
  int seen = 0;
  for (const std::string& line : limits) {
    const std::vector<std::string> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (absl::StartsWith(line, "Max open files")) {
      EXPECT_EQ(words[3] + "/" + words[4], "333/444");
      ++seen;
    }
    if (absl::StartsWith(line, "Max core file size")) {
      EXPECT_EQ(words[4] + "/" + words[5], "0/0");
      ++seen;
    }
  }
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(NiceOf(*client), absl::StrCat(getpriority(PRIO_PROCESS, 0) + 2));
  EXPECT_TRUE(Contains(Get(*client, "!status"), "NoNewPrivs:\t1"));
  EXPECT_TRUE(Contains(Get(*client, "!fds"), "55 /dev/null\n"));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// The first place in which a control group can be made; "" if there is none.
std::string MakeControlGroup() {
  for (const char* place :
       {"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"}) {
    const std::string path =
        absl::StrCat(place, "/goplugin-limits-test-", getpid());
    if (fs::exists(absl::StrCat(place, "/cgroup.procs")) &&
        mkdir(path.c_str(), 0755) == 0) {
      return path;
    }
  }
  return "";
}

TEST_F(LimitsTest, ControlGroupIsJoined) {
  const std::string group = MakeControlGroup();
  if (group.empty()) GTEST_SKIP() << "no control group can be made";
  Command command = ServerPlugin({});
  command.cgroups = {group};
  std::unique_ptr<Client> client = MustLaunch(command);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Contains(Get(*client, "!proc:cgroup"),
                       "/" + fs::path(group).filename().string()));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(rmdir(group.c_str()), 0);
}

// False for ordinary users, and in a sandbox with a single user.
bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  uint64_t inside = 0, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kUid;
}

TEST_F(LimitsTest, AnotherUser) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  // Where that user can reach it.
  fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
  fs::permissions(temp(), fs::perms(0711));
  Command command = ServerPlugin({});
  const std::string copy = ScratchPath("plugin");
  CopyProgram(command.path, copy);
  command.path = copy;
  command.working_directory = "/";
  command.user = Command::User{kUid, kGid, {}};
  std::unique_ptr<Client> client = MustLaunch(command, KvOptions());
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  const std::string status = Get(*client, "!status");
  EXPECT_TRUE(Contains(status, "Uid:\t54321\t54321\t54321\t54321\n")) << status;
  EXPECT_TRUE(Contains(status, "Gid:\t54322\t54322\t54322\t54322\n")) << status;
  EXPECT_TRUE(Contains(status, "Groups:\t \n")) << status;
  EXPECT_EQ(client->endpoint().network, Endpoint::Network::kUnix);
  EXPECT_TRUE(absl::StartsWith(client->endpoint().address, temp()));
  EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
  EXPECT_EQ(geteuid(), 0u);

  // Killed, it leaves its socket to us.
  EXPECT_TRUE(client->Kill().ok());
  client.reset();
  EXPECT_TRUE(fs::is_empty(temp()));
}

// In both directions, by sockets that the other user can reach.
TEST_F(LimitsTest, AnotherUserHasABroker) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
  fs::permissions(temp(), fs::perms(0711));
  Command command{ScratchPath("plugin")};
  CopyProgram(RunfilePath("tests/support/broker/broker_plugin"), command.path);
  command.working_directory = "/";
  command.user = Command::User{kUid, kGid, {}};
  std::unique_ptr<Client> client = MustLaunch(command, KvOptions());
  ASSERT_NE(client, nullptr);
  AdderService adder;
  auto server = client->broker().AcceptAndServe(1, {&adder});
  ASSERT_TRUE(server.ok()) << server.status().message();
  const broker::Outcome dialled = PluginDials(*client, {1}, 20, 22);
  EXPECT_EQ(dialled.sums_size(), 1) << dialled.message();
  auto channel = client->broker().Dial(PluginAccepts(*client, 1).ids(0));
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(Sum(*channel, 20, 22).value_or(0), 42);
}

TEST_F(LimitsTest, ControlGroupThatIsNotThere) {
  Command command = ServerPlugin({});
  command.cgroups = {"/sys/fs/cgroup/goplugin-no-such-group"};
  ExpectSpawnFault(command, "opening the control group's cgroup.procs",
                   "mkdir below /sys/fs/cgroup");
}

TEST_F(LimitsTest, DirectoryThatIsNoControlGroup) {
  Command command = ServerPlugin({});
  command.cgroups = {temp()};
  ExpectSpawnFault(command, "directory, mode", "Command::cgroups");
}

TEST_F(LimitsTest, DescriptorThatIsNotOpen) {
  Command command = ServerPlugin({});
  command.descriptors = {{765432, 5}};
  ExpectSpawnFault(command, "descriptor 765432 of the host, to be 5",
                   "open descriptor");
}

TEST_F(LimitsTest, DescriptorAboveThePluginsLimit) {
  Command command = ServerPlugin({});
  command.resource_limits = {{RLIMIT_NOFILE, 100, 100}};
  command.descriptors = {{0, 100}};
  ExpectSpawnFault(command, "descriptor 0 of the host, to be 100",
                   "RLIMIT_NOFILE");
}

TEST_F(LimitsTest, UnknownResource) {
  Command command = ServerPlugin({});
  command.resource_limits = {{999, 1, 1}};
  ExpectSpawnFault(command, "setting its resource limits", "kernel knows");
}

// Runs on a thread without capabilities, as the SDK's threads that it starts
// then are.
template <typename Body>
void AsAnOrdinaryHost(Body body) {
  std::thread([&body] {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {};
    ASSERT_EQ(syscall(SYS_capset, &header, none), 0);
    body();
  }).join();
}

TEST_F(LimitsTest, UserWithoutTheRightToChangeIt) {
  Command command = ServerPlugin({});
  command.user = Command::User{kUid, kGid, {}};
  AsAnOrdinaryHost([&] {
    ExpectSpawnFault(command, "could not be given to user 54321", "CAP_CHOWN");
  });
  // Its own user, and not even that.
  command.user = Command::User{geteuid(), getegid(), {}};
  AsAnOrdinaryHost([&] {
    ExpectSpawnFault(command, "setting its supplementary groups",
                     "CAP_SETUID and CAP_SETGID");
  });
}

TEST_F(LimitsTest, LimitAboveTheHosts) {
  struct rlimit own = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &own), 0);
  Command command = ServerPlugin({});
  command.resource_limits = {{RLIMIT_NOFILE, own.rlim_max, own.rlim_max + 1}};
  AsAnOrdinaryHost([&] {
    ExpectSpawnFault(command, absl::StrCat("hard limit is ", own.rlim_max),
                     "CAP_SYS_RESOURCE");
  });
}

TEST_F(LimitsTest, NegativeNiceWithoutTheRight) {
  Command command = ServerPlugin({});
  command.nice = -20;
  AsAnOrdinaryHost([&] {
    ExpectSpawnFault(command, "setting its nice value", "CAP_SYS_NICE");
  });
}

}  // namespace
}  // namespace goplugin::testing
