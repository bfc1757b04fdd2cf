// The end of every client of a process at once.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr absl::Duration kEnough = absl::Seconds(20);

class ShutdownAllTest : public HarnessTest {};

TEST_F(ShutdownAllTest, EndsEveryClientOfTheProcess) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(MustLaunch(ServerPlugin({})));
  for (const auto& client : clients) ASSERT_NE(client, nullptr);
  absl::StatusOr<std::unique_ptr<Client>> attached = Client::Attach(
      absl::StrCat("unix:", clients[0]->endpoint().address), PlainOptions());
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_EQ(Client::ShutdownAll(kEnough), absl::OkStatus());
  for (const auto& client : clients) EXPECT_TRUE(client->exited());
  EXPECT_EQ(Client::ShutdownAll(kEnough), absl::OkStatus());
}

TEST_F(ShutdownAllTest, NobodyThere) {
  EXPECT_EQ(Client::ShutdownAll(absl::ZeroDuration()), absl::OkStatus());
}

// As a vector with a place for each plugin has where a launch failed.
TEST_F(ShutdownAllTest, EmptyPlacesAreSkipped) {
  std::vector<std::unique_ptr<Client>> clients(3);
  clients[1] = MustLaunch(ServerPlugin({}));
  ASSERT_NE(clients[1], nullptr);
  EXPECT_EQ(Client::ShutdownAll(clients, kEnough), absl::OkStatus());
  EXPECT_TRUE(clients[1]->exited());
  const std::vector<Client*> nobody(2);
  EXPECT_EQ(Client::ShutdownAll(nobody, kEnough), absl::OkStatus());
}

TEST_F(ShutdownAllTest, TheDeadlineKills) {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::Minutes(1);
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--shutdown=hang"}), options);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Client::ShutdownAll(absl::Milliseconds(100)), absl::OkStatus());
  EXPECT_EQ(client->exit_status()->value, SIGKILL);
}

TEST_F(ShutdownAllTest, OnesThatEndedBeforeDoNotCount) {
  std::unique_ptr<Client> crashed = MustLaunch(ServerPlugin({}));
  ASSERT_NE(crashed, nullptr);
  Mailbox<absl::Status> exit;
  crashed->OnExit([&exit](ExitStatus /*status*/, absl::Status why) {
    exit.Put(std::move(why));
  });
  ASSERT_EQ(kill(crashed->pid(), SIGKILL), 0);
  ExpectError(*exit.Take(), {Reason::kCrashed, "SIGKILL", ""});
  ExpectError(crashed->Shutdown(), {Reason::kCrashed, "SIGKILL", ""});
  EXPECT_EQ(Client::ShutdownAll(kEnough), absl::OkStatus());
}

TEST_F(ShutdownAllTest, WhileClientsComeAndGo) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int turn = 0; turn < 3; ++turn) {
        const auto client = Client::Launch(ServerPlugin({}), PlainOptions());
        if (client.ok()) continue;
        // It was still under way.
        ExpectError(client.status(), {Reason::kCancelled, "cancelled", ""});
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Client::ShutdownAll(kEnough), absl::OkStatus());
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Client::ShutdownAll(kEnough), absl::OkStatus());
}

// Whatever moment of a launch's first it finds.
TEST_F(ShutdownAllTest, WhileLaunchesBegin) {
  constexpr int kLaunches = 3000;
  std::atomic<int> running{4};
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&running, &told] {
      for (int turn = 0; turn < kLaunches; ++turn) {
        // Nothing is started.
        Client::LaunchAsync(Command(), PlainOptions(), [&told](auto launched) {
          EXPECT_FALSE(launched.ok());
          ++told;
        });
      }
      --running;
    });
  }
  while (running > 0) {
    EXPECT_EQ(Client::ShutdownAll(absl::ZeroDuration()), absl::OkStatus());
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&told] { return told == 4 * kLaunches; }));
}

TEST_F(ShutdownAllTest, AForkedChildMayNot) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const auto details = GetErrorDetails(Client::ShutdownAll(kEnough));
    _exit(details.has_value() && details->reason == Reason::kForked ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Answers(*client));
}

}  // namespace
}  // namespace goplugin::testing
