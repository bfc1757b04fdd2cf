// Runners that fail, at each step.

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/runner/child.h"
#include "goplugin/client.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/runner.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

using Address = absl::StatusOr<Endpoint>;

// What a runner does wrong. All unset: nothing.
struct Mischief {
  absl::StatusOr<std::string> place = "";
  absl::Status start;
  std::function<void(RunnerProcess&)> started = nullptr;
  absl::Status wait;
  absl::Status kill;
  bool kill_without_effect = false;
  std::function<Address(const Endpoint&)> to_host = nullptr;
  std::function<Address(const Endpoint&)> to_plugin = nullptr;
};

// Starts children without any walls, and then does what it is told to.
class TestRunner final : public Runner {
 public:
  TestRunner(Command command, Mischief mischief)
      : command_(std::move(command)), mischief_(std::move(mischief)) {}
  ~TestRunner() override { Clean(); }

  std::string Name() const override { return "test runner"; }
  std::string Diagnose() override { return "the weather"; }

  absl::StatusOr<std::string> PlaceSocketDirectory(
      const std::string& directory) override {
    if (!mischief_.place.ok() || !mischief_.place->empty()) {
      return mischief_.place;
    }
    return directory;
  }

  absl::StatusOr<RunnerProcess> Start(const RunnerRequest& request) override {
    if (!mischief_.start.ok()) return mischief_.start;
    absl::StatusOr<Child> child = StartChild(
        ArgumentsOf(command_), EnvironmentOf(command_, request.environment));
    if (!child.ok()) return child.status();
    pid_ = child->pid;
    pidfd_ = dup(child->pidfd);
    RunnerProcess process{child->stdout_fd, child->stderr_fd, child->pidfd,
                          "id-7"};
    if (mischief_.started != nullptr) mischief_.started(process);
    return process;
  }

  absl::StatusOr<ExitStatus> Wait() override {
    if (!mischief_.wait.ok()) return mischief_.wait;
    internal::MutexLock lock(mutex_);
    return WaitForChild(std::exchange(pid_, -1));
  }

  absl::Status Kill() override {
    internal::MutexLock lock(mutex_);
    ++kills_;
    if (!mischief_.kill.ok()) return mischief_.kill;
    if (mischief_.kill_without_effect) return absl::OkStatus();
    return KillProcess(pidfd_);
  }

  absl::StatusOr<Endpoint> PluginToHost(
      const Endpoint& endpoint) const override {
    return mischief_.to_host ? mischief_.to_host(endpoint) : endpoint;
  }
  absl::StatusOr<Endpoint> HostToPlugin(
      const Endpoint& endpoint) const override {
    return mischief_.to_plugin ? mischief_.to_plugin(endpoint) : endpoint;
  }

  int kills() const {
    internal::MutexLock lock(mutex_);
    return kills_;
  }

  // What a runner that fails has left.
  void Clean() {
    internal::MutexLock lock(mutex_);
    if (pidfd_ < 0) return;
    KillProcess(pidfd_).IgnoreError();
    if (pid_ > 0) WaitForChild(pid_).IgnoreError();
    close(pidfd_);
    pidfd_ = -1;
  }

 private:
  const Command command_;
  const Mischief mischief_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  mutable absl::Mutex mutex_;
  int kills_ = 0;
};

class RunnerFaultTest : public HarnessTest {
 protected:
  std::shared_ptr<TestRunner> Make(Command command, Mischief mischief) {
    runner_ =
        std::make_shared<TestRunner>(std::move(command), std::move(mischief));
    return runner_;
  }

  void ExpectFault(Command command, Mischief mischief,
                   const ExpectedError& expected,
                   absl::Duration timeout = absl::Seconds(30)) {
    ClientOptions options = ShortLadder();
    options.start_timeout = timeout;
    const absl::Time start = absl::Now();
    auto client = Client::Launch(Make(std::move(command), std::move(mischief)),
                                 std::move(options));
    EXPECT_LT(absl::Now() - start, timeout + kGrace);
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), expected);
  }

  std::unique_ptr<Client> MustRun(Command command, Mischief mischief,
                                  ClientOptions options = ShortLadder()) {
    auto client = Client::Launch(Make(std::move(command), std::move(mischief)),
                                 std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  void TearDown() override {
    if (runner_ != nullptr) runner_->Clean();
    runner_.reset();
    HarnessTest::TearDown();
  }

  std::shared_ptr<TestRunner> runner_;
};

TEST_F(RunnerFaultTest, NoRunner) {
  auto client = Client::Launch(std::shared_ptr<Runner>(), PlainOptions());
  ExpectError(client.status(), {Reason::kOptions, "is null", "derived from"});
}

TEST_F(RunnerFaultTest, StartFails) {
  Mischief mischief;
  mischief.start = absl::UnavailableError("no such image");
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "UNAVAILABLE: no such image", "by hand"});
  EXPECT_EQ(runner_->kills(), 0);
}

TEST_F(RunnerFaultTest, StartFailsAndIsDiagnosed) {
  Mischief mischief;
  mischief.start = absl::UnavailableError("no such image");
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "diagnosis: \"the weather\"", "by hand"});
}

TEST_F(RunnerFaultTest, NoPlaceForSockets) {
  Mischief mischief;
  mischief.place = absl::NotFoundError("no volume");
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "NOT_FOUND: no volume", "absolute path"});
  mischief.place = "here";
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "\"here\"", "absolute path"});
}

TEST_F(RunnerFaultTest, NoStdout) {
  Mischief mischief;
  mischief.started = [](RunnerProcess& process) {
    close(process.stdout_fd);
    process.stdout_fd = -1;
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "no stdout_fd", "RunnerProcess"});
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, OneDescriptorForBothOutputs) {
  Mischief mischief;
  mischief.started = [](RunnerProcess& process) {
    close(process.stderr_fd);
    process.stderr_fd = process.stdout_fd;
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "no stderr_fd", "RunnerProcess"});
}

// As with "docker run -t": lines end in CR LF, and its end is an error (EIO).
TEST_F(RunnerFaultTest, ATerminalInPlaceOfAPipe) {
  std::thread relay;
  Mischief mischief;
  mischief.started = [&relay](RunnerProcess& process) {
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(unlockpt(terminal), 0);
    const int plugins = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(plugins, 0) << strerror(errno);
    relay = std::thread([plugins, output = process.stdout_fd] {
      char bytes[4096];
      ssize_t count = 0;
      while ((count = read(output, bytes, sizeof bytes)) > 0) {
        EXPECT_EQ(write(plugins, bytes, static_cast<size_t>(count)), count);
      }
      close(output);
      close(plugins);
    });
    process.stdout_fd = terminal;
  };
  auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  auto client = MustRun(ServerPlugin({}), mischief, options);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Ping(kPatience), absl::OkStatus());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  client.reset();
  relay.join();
  for (const LogEntry& entry : log->entries()) {
    EXPECT_LT(entry.level, LogLevel::kWarn) << entry.message;
  }
}

TEST_F(RunnerFaultTest, NothingThatTellsOfTheExit) {
  Mischief mischief;
  mischief.started = [](RunnerProcess& process) {
    close(process.exit_fd);
    process.exit_fd = open("/proc/self/exe", O_RDONLY);
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kSpawn, "can't be waited for", "RunnerProcess"});
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, ThePluginNeverBecomesReadyAndIsDiagnosed) {
  ExpectFault(Misbehave({"silent"}), {},
              {Reason::kHandshakeTimeout, "diagnosis: \"the weather\"", ""},
              absl::Milliseconds(300));
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, ThePluginEndsEarly) {
  ExpectFault(Misbehave({"exit-stderr"}), {},
              {Reason::kExitedEarly, "plugin test runner id-7", ""});
}

TEST_F(RunnerFaultTest, WaitFailsInALaunch) {
  Mischief mischief;
  mischief.wait = absl::InternalError("lost it");
  ExpectFault(Misbehave({"exit1"}), mischief,
              {Reason::kExitedEarly, "INTERNAL: lost it", ""});
}

TEST_F(RunnerFaultTest, WaitFailsLater) {
  Mischief mischief;
  mischief.wait = absl::InternalError("lost it");
  auto client = MustRun(ServerPlugin({}), mischief);
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> exit;
  client->OnExit([&exit](ExitStatus status, absl::Status why) {
    EXPECT_EQ(status, ExitStatus());
    exit.Put(std::move(why));
  });
  Get(*client, "!exit");
  ExpectError(
      *exit.Take(),
      {Reason::kCrashed,
       "Wait of the runner test runner failed: \"INTERNAL: lost it\"", ""});
  client.reset();
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, TheAddressIsNotTranslated) {
  Mischief mischief;
  mischief.to_host = [](const Endpoint&) -> Address {
    return absl::NotFoundError("not on this host");
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kTransport, "NOT_FOUND: not on this host",
               "translation knows them"});
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, TheAddressIsTranslatedToNone) {
  Mischief mischief;
  mischief.to_host = [](const Endpoint&) -> Address {
    return Endpoint{Endpoint::Network::kUnix, std::string(200, 'x')};
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kTransport, "PluginToHost of", "translation"});
}

TEST_F(RunnerFaultTest, TheAddressIsTranslatedToNobody) {
  Mischief mischief;
  mischief.to_host = [](const Endpoint&) -> Address {
    return Endpoint{Endpoint::Network::kUnix, "/proc/nobody"};
  };
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kConnect, "/proc/nobody", ""}, absl::Seconds(2));
}

TEST_F(RunnerFaultTest, TheTranslationHangs) {
  auto over = std::make_shared<absl::Notification>();
  Mischief mischief;
  mischief.to_host = [over](const Endpoint& endpoint) -> Address {
    over->WaitForNotification();
    return endpoint;
  };
  // So that the runtime outlives the launch, and does not wait for the hang.
  auto other = MustLaunch(ServerPlugin({}));
  ExpectFault(ServerPlugin({}), mischief,
              {Reason::kHandshakeTimeout, "not translated", "PluginToHost"},
              absl::Seconds(1));
  over->Notify();
}

TEST_F(RunnerFaultTest, BrokeredAddressesAreNotTranslated) {
  auto ready = std::make_shared<absl::Notification>();
  Mischief mischief;
  mischief.to_host = [ready](const Endpoint& endpoint) -> Address {
    if (!ready->HasBeenNotified()) return endpoint;
    return absl::NotFoundError("not on this host");
  };
  mischief.to_plugin = [](const Endpoint&) -> Address {
    return absl::NotFoundError("not in there");
  };
  auto client =
      MustRun(Command{RunfilePath("tests/support/broker/broker_plugin")},
              mischief, PlainOptions());
  ASSERT_NE(client, nullptr);
  ready->Notify();
  AdderService adder;
  ExpectError(client->broker().AcceptAndServe(1, {&adder}).status(),
              {Reason::kTransport, "HostToPlugin of", "translation"});
  const std::uint32_t id = PluginAccepts(*client, 1).ids(0);
  ExpectError(client->broker().Dial(id).status(),
              {Reason::kTransport, "not on this host", "translation"});
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(RunnerFaultTest, KillFailsInALaunch) {
  Mischief mischief;
  mischief.kill = absl::PermissionDeniedError("not yours");
  ExpectFault(
      Misbehave({"silent"}), mischief,
      {Reason::kHandshakeTimeout, "Kill of the runner test runner failed", ""},
      absl::Milliseconds(300));
}

TEST_F(RunnerFaultTest, KillWithoutEffectInALaunch) {
  Mischief mischief;
  mischief.kill_without_effect = true;
  ExpectFault(Misbehave({"silent"}), mischief,
              {Reason::kHandshakeTimeout, "still there", ""},
              absl::Milliseconds(300));
}

TEST_F(RunnerFaultTest, KillFailsAtTheEnd) {
  Mischief mischief;
  mischief.kill = absl::PermissionDeniedError("not yours");
  auto client = MustRun(ServerPlugin({"--ignore-shutdown"}), mischief);
  ASSERT_NE(client, nullptr);
  ExpectError(client->Shutdown(), {Reason::kShutdownForced,
                                   "PERMISSION_DENIED: not yours", "exit_fd"});
}

TEST_F(RunnerFaultTest, KillWithoutEffectAtTheEnd) {
  Mischief mischief;
  mischief.kill_without_effect = true;
  auto client = MustRun(ServerPlugin({"--ignore-shutdown"}), mischief);
  ASSERT_NE(client, nullptr);
  ExpectError(
      client->Shutdown(),
      {Reason::kShutdownForced, "not even after its runner's Kill", "exit_fd"});
  EXPECT_EQ(runner_->kills(), 1);
}

// Whoever asks before, and whoever asks afterwards.
TEST_F(RunnerFaultTest, OnExitOfOneThatWasGivenUp) {
  Mischief mischief;
  mischief.kill_without_effect = true;
  ClientOptions options = ShortLadder();
  options.shutdown.kill_timeout = absl::Milliseconds(200);
  auto client = MustRun(ServerPlugin({"--ignore-shutdown"}), mischief, options);
  ASSERT_NE(client, nullptr);
  struct Exit {
    ExitStatus status;
    absl::Status why;
  };
  Mailbox<Exit> before;
  Mailbox<Exit> after;
  client->OnExit([&before](ExitStatus status, absl::Status why) {
    before.Put({status, std::move(why)});
  });
  EXPECT_FALSE(client->Shutdown().ok());
  client->OnExit([&after](ExitStatus status, absl::Status why) {
    after.Put({status, std::move(why)});
  });
  for (Mailbox<Exit>* box : {&before, &after}) {
    const absl::optional<Exit> exit = box->Take();
    ASSERT_TRUE(exit.has_value());
    EXPECT_EQ(exit->status.kind, ExitStatus::Kind::kUnknown);
    ExpectError(exit->why, {Reason::kNoProcessControl,
                            "not even after its runner's Kill", "exit_fd"});
  }
  EXPECT_FALSE(client->exited());
}

TEST_F(RunnerFaultTest, KillComesInPlaceOfSignals) {
  auto client = MustRun(ServerPlugin({"--ignore-shutdown"}), {});
  ASSERT_NE(client, nullptr);
  ExpectError(client->Shutdown(),
              {Reason::kShutdownForced, "ended by its runner's Kill",
               "ClientOptions::shutdown"});
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, WithoutAControllerKillIsTheOrderlyEnd) {
  auto client = MustRun(ServerPlugin({"--no-controller"}), {});
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerFaultTest, CancelledBeforeTheLine) {
  Mailbox<absl::Status> failed;
  LaunchOperation operation = Client::LaunchAsync(
      Make(Misbehave({"silent"}), {}), PlainOptions(),
      [&failed](absl::StatusOr<std::unique_ptr<Client>> client) {
        failed.Put(client.status());
      });
  operation.Cancel();
  ExpectError(*failed.Take(), {Reason::kCancelled, "was cancelled", ""});
}

}  // namespace
}  // namespace goplugin::testing
