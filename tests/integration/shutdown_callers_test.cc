// Who asks for the end, how often, and from where; and what the plugin left.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

class ShutdownCallersTest : public HarnessTest {};

TEST_F(ShutdownCallersTest, Twice) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(ShutdownCallersTest, FromManyThreads) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--ignore-shutdown"}), ShortLadder());
  ASSERT_NE(client, nullptr);
  std::vector<absl::Status> answers(4);
  std::vector<std::thread> threads;
  for (absl::Status& answer : answers) {
    threads.emplace_back([&] { answer = client->Shutdown(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& answer : answers) {
    ExpectError(answer, {Reason::kShutdownForced, "SIGTERM", "more time"});
    EXPECT_EQ(answer, answers[0]);
  }
}

// Two that only differ in when they are told.
TEST_F(ShutdownCallersTest, AsyncAndBlockingAgree) {
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--ignore-shutdown"}), ShortLadder());
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> before;
  Mailbox<absl::Status> after;
  client->ShutdownAsync([&](absl::Status s) { before.Put(std::move(s)); });
  const absl::Status bye = client->Shutdown();
  ExpectError(bye, {Reason::kShutdownForced, "SIGTERM", "more time"});
  client->ShutdownAsync([&](absl::Status s) { after.Put(std::move(s)); });
  EXPECT_EQ(before.Take(), bye);
  EXPECT_EQ(after.Take(), bye);
}

// The client may be gone when its shutdown is told.
TEST_F(ShutdownCallersTest, AsyncThenDestroyed) {
  Mailbox<absl::Status> bye;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  client->ShutdownAsync([&](absl::Status s) { bye.Put(std::move(s)); });
  client.reset();
  const absl::optional<absl::Status> told = bye.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->ok()) << *told;
}

TEST_F(ShutdownCallersTest, AsyncFromACallback) {
  std::unique_ptr<Client> first = MustLaunch(ServerPlugin({}));
  std::unique_ptr<Client> second = MustLaunch(ServerPlugin({}));
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  Mailbox<absl::Status> bye;
  first->ShutdownAsync([&](const absl::Status&) {
    second->ShutdownAsync([&](absl::Status s) { bye.Put(std::move(s)); });
  });
  const absl::optional<absl::Status> told = bye.Take();
  ASSERT_TRUE(told.has_value());
  EXPECT_TRUE(told->ok()) << *told;
}

TEST_F(ShutdownCallersTest, AllAtTheSameTime) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(MustLaunch(ServerPlugin({})));
  for (const auto& client : clients) ASSERT_NE(client, nullptr);
  const absl::Status bye = Client::ShutdownAll(clients, absl::Seconds(20));
  EXPECT_TRUE(bye.ok()) << bye;
  for (const auto& client : clients) EXPECT_TRUE(client->exited());
}

TEST_F(ShutdownCallersTest, AllWithStuckOnes) {
  ClientOptions patient = PlainOptions();
  patient.shutdown.rpc_timeout = absl::Hours(1);
  std::vector<std::unique_ptr<Client>> clients;
  clients.push_back(MustLaunch(ServerPlugin({})));
  clients.push_back(MustLaunch(ServerPlugin({"--shutdown=hang"}), patient));
  clients.push_back(
      MustLaunch(ServerPlugin({"--ignore-shutdown"}), ShortLadder()));
  clients.push_back(MustLaunch(ServerPlugin({"--shutdown=hang"}), patient));
  for (const auto& client : clients) ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  const absl::Duration time = kSoonEnded + absl::Seconds(2);
  const absl::Status bye = Client::ShutdownAll(clients, time);
  EXPECT_LT(absl::Now() - start, time + kGrace);
  // Of the third; those that were stuck were killed as the caller wished.
  ExpectError(bye, {Reason::kShutdownForced, "SIGTERM", "more time"});
  const std::string who = absl::StrCat(", pid ", clients[2]->pid());
  ExpectError(bye, {Reason::kShutdownForced, who, ""});
  for (const auto& client : clients) EXPECT_TRUE(client->exited());
  EXPECT_TRUE(clients[0]->exit_status()->success());
  EXPECT_EQ(clients[1]->exit_status()->value, SIGKILL);
  EXPECT_EQ(clients[2]->exit_status()->value, SIGTERM);
  EXPECT_EQ(clients[3]->exit_status()->value, SIGKILL);
}

// What had ended before is OnExit's to tell, not that of this shutdown.
TEST_F(ShutdownCallersTest, AllWithOnesThatHadCrashed) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(MustLaunch(ServerPlugin({})));
  for (const auto& client : clients) ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(clients[1]->pid(), SIGKILL), 0);
  ASSERT_TRUE(clients[1]->WaitForExit(kGrace).ok());
  EXPECT_EQ(Client::ShutdownAll(clients, kGrace), absl::OkStatus());
  for (const auto& client : clients) EXPECT_TRUE(client->exited());
  ExpectError(clients[1]->Shutdown(), {Reason::kCrashed, "SIGKILL", ""});
}

TEST_F(ShutdownCallersTest, AllOfNone) {
  const std::vector<Client*> none;
  EXPECT_TRUE(Client::ShutdownAll(none, absl::Seconds(1)).ok());
}

// Plugins that leave a process behind which keeps their pipes open.
class GrandchildTest : public HarnessTest {
 protected:
  // A plugin whose grandchild lives until `keep_` is gone.
  std::unique_ptr<Client> StartWithGrandchild(Command::ProcessGroup group) {
    keep_ = ScratchPath("keep");
    std::ofstream(keep_) << "";
    auto log = std::make_shared<RecordingLogSink>();
    ClientOptions options = PlainOptions();
    options.log_sink = log;
    Command command = ServerPlugin({absl::StrCat("--grandchild=", keep_)});
    command.process_group = group;
    std::unique_ptr<Client> client = MustLaunch(command, options);
    EXPECT_TRUE(log->WaitForMessage("grandchild pid"));
    for (const LogEntry& entry : log->entries()) {
      absl::string_view number = entry.message;
      if (!absl::ConsumePrefix(&number, "grandchild pid ")) continue;
      EXPECT_TRUE(absl::SimpleAtoi(number, &grandchild_));
    }
    EXPECT_GT(grandchild_, 0);
    return client;
  }

  // Waits for the orphan, which the harness made this process's child.
  int Reap() const {
    int status = 0;
    EXPECT_EQ(waitpid(grandchild_, &status, 0), grandchild_);
    return status;
  }

  // The SDK reaps what it has ended, if it comes first.
  bool WasEnded() const {
    int status = 0;
    const pid_t waited = waitpid(grandchild_, &status, 0);
    return waited == grandchild_
               ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
               : errno == ECHILD && kill(grandchild_, 0) != 0;
  }

  std::string keep_;
  pid_t grandchild_ = -1;
};

TEST_F(GrandchildTest, InTheHostsGroupItIsLeftAlone) {
  std::unique_ptr<Client> client =
      StartWithGrandchild(Command::ProcessGroup::kShared);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "!pgid"), absl::StrCat(getpgrp()));
  const absl::Time start = absl::Now();
  const absl::Status bye = client->Shutdown();
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_TRUE(bye.ok()) << bye;
  client.reset();
  EXPECT_EQ(waitpid(grandchild_, nullptr, WNOHANG), 0) << "it is gone";
  ASSERT_EQ(unlink(keep_.c_str()), 0);
  EXPECT_EQ(Reap(), 0);
}

TEST_F(GrandchildTest, InThePluginsOwnGroupItGoesToo) {
  std::unique_ptr<Client> client =
      StartWithGrandchild(Command::ProcessGroup::kOwn);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "!pgid"), absl::StrCat(client->pid()));
  const absl::Status bye = client->Shutdown();
  EXPECT_TRUE(bye.ok()) << bye;
  EXPECT_TRUE(WasEnded());
}

TEST_F(GrandchildTest, ItGoesAlsoAfterACrash) {
  std::unique_ptr<Client> client =
      StartWithGrandchild(Command::ProcessGroup::kOwn);
  ASSERT_NE(client, nullptr);
  Get(*client, "!exit:3");
  ExpectError(client->Shutdown(),
              {Reason::kCrashed, "exit code 3", "gave up by itself"});
  EXPECT_TRUE(WasEnded());
}

}  // namespace
}  // namespace goplugin::testing
