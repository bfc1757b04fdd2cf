// Children that nobody waits for any more: the kernel keeps them until the host
// reaps them, and the host must, however it gave them up.

#include <dirent.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/launching.h"
#include "tests/support/stuck/stuck_runner.h"

namespace goplugin::testing {
namespace {

constexpr absl::Duration kReaped = absl::Seconds(2);

// Children of this process that have ended and are still there.
int Zombies() {
  int count = 0;
  DIR* const tasks = opendir("/proc/self/task");
  while (const dirent* const task = readdir(tasks)) {
    std::ifstream list(std::string("/proc/self/task/") + task->d_name +
                       "/children");
    std::string child;
    while (list >> child) {
      std::ifstream stat("/proc/" + child + "/stat");
      std::stringstream text;
      text << stat.rdbuf();
      if (absl::StrContains(text.str(), ") Z ")) ++count;
    }
  }
  closedir(tasks);
  return count;
}

void ExpectNoZombies() {
  const absl::Time start = absl::Now();
  EXPECT_TRUE(Eventually([] { return Zombies() == 0; })) << Zombies();
  EXPECT_LT(absl::Now() - start, kReaped + kGrace);
}

class ZombiesTest : public HarnessTest {
 protected:
  // A client that lives on: what its end would clean up does not count.
  void SetUp() override {
    HarnessTest::SetUp();
    bystander_ = MustLaunch(ServerPlugin({}));
    ASSERT_NE(bystander_, nullptr);
  }
  void TearDown() override {
    bystander_.reset();
    HarnessTest::TearDown();
  }

  std::unique_ptr<Client> bystander_;
};

ClientOptions NoTime() {
  ClientOptions options = PlainOptions();
  options.start_timeout = absl::Milliseconds(100);
  options.shutdown.rpc_timeout = absl::ZeroDuration();
  options.shutdown.exit_timeout = absl::ZeroDuration();
  options.shutdown.terminate_timeout = absl::ZeroDuration();
  options.shutdown.kill_timeout = absl::ZeroDuration();
  return options;
}

// The launches have given up before their children are there.
TEST_F(ZombiesTest, StartedAfterTheLaunchHadEnded) {
  const auto gate = std::make_shared<Gate>();
  Launching busy(std::make_shared<StuckRunner>(Misbehave({"silent"}),
                                               StuckRunner::Gates{gate}),
                 ShortLadder());
  ASSERT_TRUE(gate->AwaitArrivals(1, kPatience));
  std::thread opener([&gate] {
    absl::SleepFor(absl::Seconds(1));
    gate->Open();
  });
  ClientOptions options = ShortLadder();
  // Before the gate opens, and long enough for a busy machine to begin.
  options.start_timeout = absl::Milliseconds(500);
  options.shutdown.kill_timeout = absl::Milliseconds(500);
  std::vector<std::unique_ptr<Launching>> late;
  for (int i = 0; i < 5; ++i) {
    late.push_back(std::make_unique<Launching>(Misbehave({"silent"}), options));
  }
  for (const auto& launching : late) {
    launching->ExpectErrorBy(absl::Seconds(1), Reason::kHandshakeTimeout);
  }
  opener.join();
  busy.Cancel();
  busy.ExpectErrorBy(kPatience, Reason::kCancelled);
  ExpectNoZombies();
}

TEST_F(ZombiesTest, NoTimeForTheEndOfALaunch) {
  constexpr int kLaunches = 10;
  int still_there = 0;
  for (int i = 0; i < kLaunches; ++i) {
    const auto failed = Client::Launch(Misbehave({"silent"}), NoTime());
    ASSERT_FALSE(failed.ok());
    if (absl::StrContains(failed.status().message(), "still there")) {
      ++still_there;
    }
  }
  // A busy machine may need more than the moment that a kill has in any case.
  EXPECT_LT(still_there, kLaunches / 2);
  ExpectNoZombies();
}

TEST_F(ZombiesTest, NoTimeForACancelledLaunch) {
  for (int i = 0; i < 10; ++i) {
    ClientOptions options = NoTime();
    options.start_timeout = kPatience;
    Launching launching(Misbehave({"silent"}), options);
    absl::SleepFor(absl::Milliseconds(i));
    launching.Cancel();
    launching.ExpectErrorBy(absl::ZeroDuration(), Reason::kCancelled);
  }
  ExpectNoZombies();
}

using LastZombiesTest = HarnessTest;

// The SDK's threads end with the launch: nobody is left to reap.
TEST_F(LastZombiesTest, NoTimeForTheLastLaunch) {
  for (int i = 0; i < 100; ++i) {
    ClientOptions options = NoTime();
    options.start_timeout = kPatience;
    {
      // A process that has something to clear away.
      Launching launching(ServerPlugin({}), options);
      absl::SleepFor(absl::Microseconds(30 * i));
      launching.Cancel();
      launching.ExpectErrorOrClient(Reason::kCancelled);
    }
    ExpectNoZombies();
  }
}

TEST_F(ZombiesTest, NoTimeForTheEndOfAClient) {
  ClientOptions options = NoTime();
  options.start_timeout = kPatience;
  for (int i = 0; i < 5; ++i) {
    const auto client =
        MustLaunch(ServerPlugin({"--shutdown=ignore"}), options);
    ASSERT_NE(client, nullptr);
    ExpectError(client->Shutdown(), {Reason::kShutdownForced, "", ""});
  }
  ExpectNoZombies();
}

}  // namespace
}  // namespace goplugin::testing
