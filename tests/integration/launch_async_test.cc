// Launches that nobody waits for, and those that are called off.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

class LaunchAsyncTest : public HarnessTest {
 protected:
  LaunchOperation Start(Command command, ClientOptions options) {
    return Client::LaunchAsync(
        std::move(command), std::move(options),
        [this](Launched client) { launched_.Put(std::move(client)); });
  }

  std::unique_ptr<Client> TakeClient() {
    absl::optional<Launched> launched = launched_.Take();
    EXPECT_TRUE(launched.has_value());
    if (!launched.has_value()) return nullptr;
    EXPECT_TRUE(launched->ok()) << launched->status();
    return launched->ok() ? **std::move(launched) : nullptr;
  }

  absl::Status TakeError() {
    absl::optional<Launched> launched = launched_.Take();
    EXPECT_TRUE(launched.has_value()) << "never told";
    return launched.has_value() ? launched->status() : absl::OkStatus();
  }

  void ExpectCancelled() {
    ExpectError(TakeError(), {Reason::kCancelled, "the launch was cancelled",
                              "LaunchOperation::Cancel"});
  }

  // Cancels once the launch has reached `phase`.
  void ExpectCancelledAt(LaunchPhase phase, Command command,
                         ClientOptions options) {
    Mailbox<bool> reached;
    options.on_phase = [&](LaunchPhase at, absl::Duration) {
      if (at == phase) reached.Put(true);
    };
    LaunchOperation operation = Start(std::move(command), std::move(options));
    ASSERT_TRUE(reached.Take().has_value());
    EXPECT_FALSE(launched_.Has());
    const absl::Time start = absl::Now();
    operation.Cancel();
    ExpectCancelled();
    EXPECT_LT(absl::Now() - start, kGrace);
  }

  Mailbox<Launched> launched_;
};

TEST_F(LaunchAsyncTest, HandsOverAClient) {
  LaunchOperation operation = Start(ServerPlugin({}), KvOptions());
  std::unique_ptr<Client> client = TakeClient();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// Many at once, without a callback, a counter or a place to keep them.
TEST_F(LaunchAsyncTest, WaitGivesTheClientOfEachOfMany) {
  std::vector<LaunchOperation> launches;
  for (int i = 0; i < 3; ++i) {
    launches.push_back(Client::LaunchAsync(ServerPlugin({}), PlainOptions()));
  }
  launches.push_back(Client::LaunchAsync(Misbehave({"exit1"}), PlainOptions()));
  std::vector<Launched> clients;
  for (LaunchOperation& launch : launches) clients.push_back(launch.Wait());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(clients[i].ok()) << clients[i].status();
    EXPECT_TRUE(Answers(**clients[i]));
  }
  ExpectError(clients[3].status(), {Reason::kExitedEarly, "exit code 1", ""});
}

TEST_F(LaunchAsyncTest, WaitTellsErrorsInOptionsAndCancel) {
  ClientOptions options = PlainOptions();
  options.networks = {};
  LaunchOperation wrong = Client::LaunchAsync(ServerPlugin({}), options);
  ExpectError(wrong.Wait().status(), {Reason::kOptions, "networks", ""});
  LaunchOperation silent =
      Client::LaunchAsync(Misbehave({"silent"}), PlainOptions());
  silent.Cancel();
  ExpectError(silent.Wait().status(), {Reason::kCancelled, "cancelled", ""});
}

TEST_F(LaunchAsyncTest, WaitIsForOnceAndForLaunchesWithoutACallback) {
  const ExpectedError nothing = {Reason::kOptions, "no client to wait for",
                                 "no callback"};
  LaunchOperation operation =
      Client::LaunchAsync(ServerPlugin({}), PlainOptions());
  EXPECT_TRUE(operation.Wait().ok());
  ExpectError(operation.Wait().status(), nothing);
  LaunchOperation told = Start(ServerPlugin({}), PlainOptions());
  ExpectError(told.Wait().status(), nothing);
  EXPECT_NE(TakeClient(), nullptr);
  ExpectError(LaunchOperation().Wait().status(), nothing);
}

// Whatever the copies and threads: one gets the client, or the error.
TEST_F(LaunchAsyncTest, OfCopiesOneGetsTheClient) {
  const ExpectedError nothing = {Reason::kOptions, "no client to wait for",
                                 "no callback"};
  LaunchOperation operation =
      Client::LaunchAsync(ServerPlugin({}), PlainOptions());
  LaunchOperation copy = operation;
  EXPECT_TRUE(operation.Wait().ok());
  ExpectError(copy.Wait().status(), nothing);
}

TEST_F(LaunchAsyncTest, OfSeveralThreadsOneGetsTheError) {
  for (int turn = 0; turn < 10; ++turn) {
    LaunchOperation operation =
        Client::LaunchAsync(Misbehave({"exit1"}), PlainOptions());
    std::atomic<int> told{0};
    std::atomic<int> refused{0};
    const auto wait = [&](LaunchOperation& waiting) {
      const auto details = GetErrorDetails(waiting.Wait().status());
      if (!details.has_value()) return;
      if (details->reason == Reason::kExitedEarly) ++told;
      if (details->reason == Reason::kOptions) ++refused;
    };
    std::vector<std::thread> threads;
    // The same one, and a copy.
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] { wait(operation); });
    }
    LaunchOperation copy = operation;
    threads.emplace_back([&] { wait(copy); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(refused, 2);
  }
}

TEST_F(LaunchAsyncTest, WaitInACallbackIsRefusedAndTheLaunchGoesOn) {
  LaunchOperation operation =
      Client::LaunchAsync(ServerPlugin({}), PlainOptions());
  Mailbox<absl::Status> answer;
  Client::LaunchAsync(Misbehave({"exit1"}), PlainOptions(),
                      [&](Launched) { answer.Put(operation.Wait().status()); });
  ExpectError(*answer.Take(), {Reason::kWrongThread, "from a callback", ""});
  EXPECT_TRUE(operation.Wait().ok());
}

// Neither waited for nor kept: the harness sees that the plugin has gone.
TEST_F(LaunchAsyncTest, AnOperationWithoutACallbackMayBeDropped) {
  Mailbox<bool> ready;
  ClientOptions options = PlainOptions();
  options.on_phase = [&](LaunchPhase phase, absl::Duration) {
    if (phase == LaunchPhase::kReady) ready.Put(true);
  };
  { Client::LaunchAsync(ServerPlugin({}), options); }
  EXPECT_TRUE(ready.Take().has_value());
}

TEST_F(LaunchAsyncTest, BadOptionsAreToldByTheCallback) {
  ClientOptions options = PlainOptions();
  options.networks = {};
  Start(ServerPlugin({}), options);
  ExpectError(TakeError(), {Reason::kOptions, "networks", "unix and tcp"});
}

TEST_F(LaunchAsyncTest, FaultsAreToldByTheCallback) {
  Start(Misbehave({"exit1"}), PlainOptions());
  ExpectError(TakeError(), {Reason::kExitedEarly, "exit code 1",
                            "Check what the plugin wrote"});
}

TEST_F(LaunchAsyncTest, TheHandleMayBeDropped) {
  { Start(ServerPlugin({}), PlainOptions()); }
  std::unique_ptr<Client> client = TakeClient();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
}

// Nobody takes the client: it ends as it is dropped, on a callback thread.
TEST_F(LaunchAsyncTest, TheClientMayBeDropped) {
  Mailbox<bool> done;
  Client::LaunchAsync(ServerPlugin({}), PlainOptions(), [&](Launched client) {
    EXPECT_TRUE(client.ok()) << client.status();
    done.Put(true);
  });
  EXPECT_TRUE(done.Take().has_value());
}

TEST_F(LaunchAsyncTest, CancelAtOnce) {
  LaunchOperation operation = Start(ServerPlugin({}), PlainOptions());
  operation.Cancel();
  operation.Cancel();
  ExpectCancelled();
}

TEST_F(LaunchAsyncTest, CancelWhileItIsSilent) {
  ExpectCancelledAt(LaunchPhase::kStarted, Misbehave({"silent"}),
                    PlainOptions());
}

TEST_F(LaunchAsyncTest, CancelWhileItIgnoresSigterm) {
  ExpectCancelledAt(LaunchPhase::kStarted, Misbehave({"ignore-sigterm"}),
                    PlainOptions());
}

TEST_F(LaunchAsyncTest, CancelWhileItFloods) {
  ExpectCancelledAt(LaunchPhase::kStarted, Misbehave({"stderr-forever"}),
                    PlainOptions());
}

TEST_F(LaunchAsyncTest, CancelWhileItsHealthHangs) {
  ExpectCancelledAt(LaunchPhase::kLine, ServerPlugin({"--health=hang"}),
                    KvOptions());
}

TEST_F(LaunchAsyncTest, CancelWhileNobodyListens) {
  ExpectCancelledAt(LaunchPhase::kLine, Misbehave({"socket-dead"}),
                    PlainOptions());
}

TEST_F(LaunchAsyncTest, CancelWhileItNeverAnswers) {
  ExpectCancelledAt(LaunchPhase::kLine, Misbehave({"never-accepts"}),
                    PlainOptions());
}

TEST_F(LaunchAsyncTest, CancelAfterItIsReadyHasNoEffect) {
  LaunchOperation operation = Start(ServerPlugin({}), PlainOptions());
  std::unique_ptr<Client> client = TakeClient();
  ASSERT_NE(client, nullptr);
  operation.Cancel();
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  client.reset();
  operation.Cancel();
}

TEST_F(LaunchAsyncTest, CancelOfAFailedLaunchHasNoEffect) {
  LaunchOperation operation = Start(Misbehave({"exit1"}), PlainOptions());
  ExpectError(TakeError(), {Reason::kExitedEarly, "exit code 1",
                            "Check what the plugin wrote"});
  operation.Cancel();
  LaunchOperation().Cancel();
}

// Whatever the moment, it is one or the other, told once, and leaves nothing.
TEST_F(LaunchAsyncTest, CancelAtAnyMoment) {
  for (int i = 0; i < 12; ++i) {
    Mailbox<Launched> launched;
    LaunchOperation operation = Client::LaunchAsync(
        ServerPlugin({}), PlainOptions(),
        [&](Launched client) { launched.Put(std::move(client)); });
    absl::SleepFor(absl::Milliseconds(3 * i));
    operation.Cancel();
    absl::optional<Launched> told = launched.Take();
    ASSERT_TRUE(told.has_value());
    if (told->ok()) continue;
    ExpectError(told->status(), {Reason::kCancelled, "cancelled", "Cancel"});
  }
}

// Whatever has become of the launch: what the callback uses may be freed
// afterwards.
TEST_F(LaunchAsyncTest, CancelAndWaitWaitsForACallbackThatRuns) {
  ClientOptions no_networks = PlainOptions();
  no_networks.networks = {};
  const std::pair<Command, ClientOptions> launches[] = {
      {Misbehave({"exit1"}), PlainOptions()},
      {ServerPlugin({}), PlainOptions()},
      {ServerPlugin({}), no_networks}};
  for (const auto& [command, options] : launches) {
    Mailbox<bool> called;
    std::atomic<bool> returned = false;
    LaunchOperation operation =
        Client::LaunchAsync(command, options, [&](Launched client) {
          client = absl::CancelledError("dropped");
          called.Put(true);
          absl::SleepFor(absl::Milliseconds(200));
          returned = true;
        });
    ASSERT_TRUE(called.Take().has_value());
    EXPECT_EQ(operation.CancelAndWait(), absl::OkStatus());
    EXPECT_TRUE(returned);
  }
}

TEST_F(LaunchAsyncTest, CancelAndWaitInACallbackIsRefused) {
  Mailbox<absl::Status> answer;
  LaunchOperation silent = Client::LaunchAsync(Misbehave({"silent"}),
                                               PlainOptions(), [](Launched) {});
  Client::LaunchAsync(Misbehave({"exit1"}), PlainOptions(),
                      [&](Launched) { answer.Put(silent.CancelAndWait()); });
  const absl::optional<absl::Status> told = answer.Take();
  ASSERT_TRUE(told.has_value());
  ExpectError(*told, {Reason::kWrongThread, "", ""});
  EXPECT_EQ(silent.CancelAndWait(), absl::OkStatus());
}

TEST_F(LaunchAsyncTest, DiesWhileLaunching) {
  ClientOptions options = PlainOptions();
  Mailbox<bool> started;
  options.on_phase = [&](LaunchPhase at, absl::Duration) {
    if (at == LaunchPhase::kStarted) started.Put(true);
  };
  Start(ServerPlugin({"--health=hang", "--die-after=100ms"}), options);
  ASSERT_TRUE(started.Take().has_value());
  ExpectError(TakeError(), {Reason::kExitedEarly, "SIGKILL", "last words"});
}

}  // namespace
}  // namespace goplugin::testing
