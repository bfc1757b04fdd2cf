// What dead hosts have left is swept by the next launch, and what lives is not.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/host_program.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kLaunches = 100;
constexpr int kHosts = 20;
constexpr absl::Duration kLimit = absl::Seconds(20);

class SweepTest : public HarnessTest {
 protected:
  void TearDown() override {
    ReapOrphans();
    HarnessTest::TearDown();
  }

  // exit_host, with its files in this test's own place.
  HostEnd Run(const std::vector<std::string>& words,
              std::vector<std::string> environment = {}) const {
    std::vector<std::string> arguments = {
        RunfilePath("tests/integration/exit_host")};
    arguments.insert(arguments.end(), words.begin(), words.end());
    return RunHost(arguments, environment, kLimit);
  }

  void ExpectGoodLife(const HostEnd& end) const {
    EXPECT_TRUE(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7)
        << Describe(end);
    EXPECT_FALSE(end.heirs);
  }

  HostEnd GoodLife() const {
    return Run({"return", "none", "local", "dropped"});
  }

  static void LaunchOthers() {
    for (int i = 0; i < kLaunches; ++i) {
      ASSERT_NE(MustLaunch(ServerPlugin({})), nullptr) << i;
    }
  }

  static void ExpectLives(const ReattachConfig& config) {
    const auto client = Client::Reattach(config, PlainOptions());
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_TRUE(Answers(**client));
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
  }
};

TEST_F(SweepTest, ADetachedPluginSurvivesTheLaunchesOfOthers) {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  const auto client = MustLaunch(command);
  ASSERT_NE(client, nullptr);
  const auto config = client->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  LaunchOthers();
  ExpectLives(*config);
}

TEST_F(SweepTest, AnOrphanSurvivesTheLaunchesOfOthers) {
  const std::string host = RunfilePath("tests/integration/lonely_host");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl(host.c_str(), host.c_str(), "survive", nullptr);
    _exit(127);
  }
  close(ends[1]);
  char text[4096] = {};
  ASSERT_GT(read(ends[0], text, sizeof text - 1), 0);
  close(ends[0]);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  const auto config = ParseReattachProviders(text);
  ASSERT_TRUE(config.ok()) << text;
  LaunchOthers();
  ExpectLives(config->at("kv"));
}

TEST_F(SweepTest, ManyDeadHostsLeaveNothing) {
  for (int i = 0; i < kHosts; ++i) {
    EXPECT_FALSE(Run({"sigterm", "line", "leaked", "dropped"}).heirs);
  }
  // Each sweeps a part of it.
  for (int i = 0; i < 5 && !FilesBelow(temp()).empty(); ++i) {
    ExpectGoodLife(GoodLife());
  }
  EXPECT_EQ(FilesBelow(temp()), std::vector<std::string>());
}

// Beside hosts that die at any moment.
TEST_F(SweepTest, HostsThatSweepAtTheSameTimeLoseNothing) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int turn = 0; turn < kHosts / 2; ++turn) {
        if (i == 0) {
          Run({"sigterm", "begun", "leaked", "dropped"});
        } else {
          ExpectGoodLife(GoodLife());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ExpectGoodLife(GoodLife());
  EXPECT_EQ(FilesBelow(temp()), std::vector<std::string>());
}

TEST_F(SweepTest, ADeadRootHostOfAnotherUsersPlugin) {
  ASSERT_EQ(geteuid(), 0u) << "takes root";
  fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
  fs::permissions(temp(), fs::perms(0711));
  fs::permissions(ScratchPath(""), fs::perms(0755));
  const std::string program = ScratchPath("plugin");
  CopyProgram(RunfilePath("tests/plugins/server_plugin"), program);
  const HostEnd end = Run({"sigterm", "none", "leaked", "dropped"},
                          {absl::StrCat("EXIT_HOST_PROGRAM=", program)});
  ASSERT_TRUE(WIFSIGNALED(end.status)) << Describe(end);
  EXPECT_FALSE(end.heirs);
  EXPECT_FALSE(FilesBelow(temp()).empty());
  ExpectGoodLife(GoodLife());
  EXPECT_EQ(FilesBelow(temp()), std::vector<std::string>());
}

}  // namespace
}  // namespace goplugin::testing
