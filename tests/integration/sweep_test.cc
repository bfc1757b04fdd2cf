// What hosts leave behind that were killed, and who takes it away.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "tests/integration/fault.h"
#include "tests/integration/host_process.h"
#include "tests/integration/live.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kUid = 54321;

// False for ordinary users, and in a sandbox with a single user.
bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 1, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kUid;
}

Command Survivor() {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  return command;
}

class SweepTest : public HarnessTest {
 protected:
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(temp())) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  // One good launch, until there is nothing left but `expected` and its own.
  void ExpectSweptTo(std::set<std::string> expected) {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Eventually([&] {
      return Names().size() == expected.size() + 1;
    })) << Names().size()
        << " are left";
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
    client.reset();
    EXPECT_EQ(Names(), expected);
  }

  void EndSurvivor(const ReattachConfig& config, bool is_orphan) {
    ClientOptions options = PlainOptions();
    options.handshake.protocol_versions = {};
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(config, options);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_TRUE(Answers(**client));
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
    if (is_orphan) {
      EXPECT_EQ(waitpid(config.pid, nullptr, 0), config.pid);
    }
  }
};

TEST_F(SweepTest, TwentyKilledHostsLeaveNothingAfterOneGoodLaunch) {
  for (int i = 0; i < 20; ++i) {
    HostProcess host({"wait"});
    ASSERT_NE(host.line(), "");
    host.Die(i % 2 == 0 ? SIGINT : SIGKILL);
  }
  ASSERT_FALSE(Names().empty());
  ExpectSweptTo({});
}

TEST_F(SweepTest, TheLivingAreLeftAlone) {
  std::unique_ptr<Client> first = MustLaunch(Survivor());
  ASSERT_NE(first, nullptr);
  const absl::StatusOr<ReattachConfig> detached = first->Detach();
  ASSERT_TRUE(detached.ok()) << detached.status();
  first.reset();

  HostProcess host({"survive"});
  const absl::StatusOr<ReattachProviders> said =
      ParseReattachProviders(host.line());
  ASSERT_TRUE(said.ok()) << said.status();
  ASSERT_EQ(said->count("kv"), 1u);
  host.Die(SIGKILL);
  // One between its making and its lock, and one of an older layout.
  ASSERT_EQ(mkdir((temp() + "/goplugin-aaaaaa").c_str(), 0700), 0);
  ASSERT_EQ(mkdir((temp() + "/goplugin-bbbbbb").c_str(), 0770), 0);
  const std::set<std::string> living = Names();
  ASSERT_EQ(living.size(), 4u);

  { HostProcess dead({"wait"}); }
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(MustLaunch(ServerPlugin({})), nullptr);
  }
  ExpectSweptTo(living);
  EndSurvivor(*detached, /*is_orphan=*/false);
  EndSurvivor(said->at("kv"), /*is_orphan=*/true);
  rmdir((temp() + "/goplugin-aaaaaa").c_str());
  rmdir((temp() + "/goplugin-bbbbbb").c_str());
  EXPECT_TRUE(Names().empty());
}

TEST_F(SweepTest, AnOrphanThatHasEndedIsSwept) {
  HostProcess host({"survive"});
  const absl::StatusOr<ReattachProviders> said =
      ParseReattachProviders(host.line());
  ASSERT_TRUE(said.ok()) << said.status();
  ASSERT_EQ(said->count("kv"), 1u);
  host.Die(SIGKILL);
  const pid_t orphan = said->at("kv").pid;
  ASSERT_EQ(kill(orphan, SIGKILL), 0);
  ASSERT_EQ(waitpid(orphan, nullptr, 0), orphan);
  ASSERT_EQ(Names().size(), 1u);
  ExpectSweptTo({});
}

TEST_F(SweepTest, ARootHostsPluginOfAnotherUser) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
  fs::permissions(temp(), fs::perms(0755));
  const std::string program = ScratchPath("plugin");
  fs::copy_file(ServerPlugin({}).path, program);
  HostProcess host({"wait", absl::StrCat("--uid=", kUid),
                    absl::StrCat("--program=", program)});
  ASSERT_NE(host.line(), "");
  host.Die(SIGKILL);
  ASSERT_EQ(Names().size(), 1u);
  ExpectSweptTo({});
}

TEST_F(SweepTest, TwoHostsThatLaunchAndSweepLoseNothing) {
  // Hosts that live through it, and dead ones in between.
  HostProcess living({"wait"});
  ASSERT_NE(living.line(), "");
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  for (int i = 0; i < 5; ++i) {
    HostProcess dead({"wait"});
    ASSERT_NE(dead.line(), "");
    std::unique_ptr<Client> next = MustLaunch(ServerPlugin({}));
    ASSERT_NE(next, nullptr);
    EXPECT_TRUE(Answers(*next));
    dead.Die(SIGKILL);
  }
  EXPECT_TRUE(Answers(*client));
  living.Die(SIGKILL);
  client.reset();
  ExpectSweptTo({});
}

}  // namespace
}  // namespace goplugin::testing
