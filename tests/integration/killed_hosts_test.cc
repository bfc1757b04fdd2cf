// What hosts leave behind that were killed, and who takes it away.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "tests/integration/fault.h"
#include "tests/integration/host_process.h"
#include "tests/integration/live.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

Command Survivor() {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  return command;
}

class KilledHostsTest : public HarnessTest {
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

TEST_F(KilledHostsTest, TwentyKilledHostsLeaveNothingAfterOneGoodLaunch) {
  for (int i = 0; i < 20; ++i) {
    HostProcess host({"wait"});
    ASSERT_NE(host.line(), "");
    host.Die(i % 2 == 0 ? SIGINT : SIGKILL);
  }
  ASSERT_FALSE(Names().empty());
  ExpectSweptTo({});
}

TEST_F(KilledHostsTest, TheLivingAreLeftAlone) {
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

TEST_F(KilledHostsTest, AnOrphanThatHasEndedIsSwept) {
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

}  // namespace
}  // namespace goplugin::testing
