// Plugins that run already, in the hands of a runner.

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/runner/child.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "goplugin/runner.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/stuck/gate.h"

namespace goplugin::testing {
namespace {

// One byte at a time: what follows the line is the SDK's to read.
std::string ReadLine(int fd) {
  std::string line;
  char byte = 0;
  while (read(fd, &byte, 1) == 1 && byte != '\n') line.push_back(byte);
  return line;
}

// A plugin that somebody else started, here the test itself, and that ends with
// this object.
class ForeignPlugin {
 public:
  explicit ForeignPlugin(std::vector<std::string> flags) {
    const Command command = ServerPlugin(std::move(flags));
    const absl::StatusOr<Child> child = StartChild(
        ArgumentsOf(command),
        EnvironmentOf(command,
                      {"BASIC_PLUGIN=hello", "PLUGIN_PROTOCOL_VERSIONS=1",
                       absl::StrCat("TMPDIR=", getenv("TMPDIR"))}));
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return;
    child_ = *child;
    const std::vector<std::string> fields =
        absl::StrSplit(ReadLine(child_.stdout_fd), '|');
    EXPECT_GE(fields.size(), 5u);
    if (fields.size() < 5) return;
    config_.protocol_version = 1;
    config_.endpoint = {Endpoint::Network::kUnix, fields[3]};
  }
  ForeignPlugin(const ForeignPlugin&) = delete;
  ForeignPlugin& operator=(const ForeignPlugin&) = delete;
  ~ForeignPlugin() {
    if (child_.pid < 0) return;
    EXPECT_EQ(KillProcess(child_.pidfd), absl::OkStatus());
    if (!reaped_) WaitForChild(child_.pid).IgnoreError();
    for (const int fd : {child_.pidfd, child_.stdout_fd, child_.stderr_fd}) {
      close(fd);
    }
    // Its own way to clean up is cut off when it is killed.
    unlink(config_.endpoint.address.c_str());
  }

  const Child& child() const { return child_; }
  const ReattachConfig& config() const { return config_; }

  bool Lives() const {
    pollfd exit = {child_.pidfd, POLLIN, 0};
    return poll(&exit, 1, 0) == 0;
  }
  absl::StatusOr<ExitStatus> Wait() {
    reaped_ = true;
    return WaitForChild(child_.pid);
  }

 private:
  Child child_;
  ReattachConfig config_;
  std::atomic<bool> reaped_{false};
};

// Takes hold of a ForeignPlugin, with or without its output.
class AttachingRunner final : public Runner {
 public:
  explicit AttachingRunner(ForeignPlugin& plugin, bool with_output = false)
      : plugin_(plugin), with_output_(with_output) {}

  std::string Name() const override { return "attaching runner"; }

  absl::StatusOr<RunnerProcess> Start(const RunnerRequest&) override {
    ADD_FAILURE() << "nothing is started here";
    return absl::InternalError("can't start");
  }
  absl::StatusOr<RunnerProcess> Attach(const ReattachConfig& config) override {
    EXPECT_EQ(config.endpoint, plugin_.config().endpoint);
    if (gate_ != nullptr) gate_->Pass();
    if (!attach_.ok()) return attach_;
    RunnerProcess process;
    if (has_exit_fd_) process.exit_fd = dup(plugin_.child().pidfd);
    if (with_output_) {
      process.stdout_fd = dup(plugin_.child().stdout_fd);
      process.stderr_fd = dup(plugin_.child().stderr_fd);
    }
    process.id = "id-9";
    return process;
  }
  absl::StatusOr<ExitStatus> Wait() override {
    if (!wait_.ok()) return wait_;
    return plugin_.Wait();
  }
  absl::Status Kill() override {
    ++kills_;
    return KillProcess(plugin_.child().pidfd);
  }
  std::string Diagnose() override { return "it rains"; }

  // Where Attach gets stuck.
  void set_gate(std::shared_ptr<Gate> gate) { gate_ = std::move(gate); }
  void set_attach(absl::Status status) { attach_ = std::move(status); }
  void set_wait(absl::Status status) { wait_ = std::move(status); }
  void set_has_exit_fd(bool has) { has_exit_fd_ = has; }
  int kills() const { return kills_; }

 private:
  ForeignPlugin& plugin_;
  const bool with_output_;
  std::shared_ptr<Gate> gate_;
  absl::Status attach_;
  absl::Status wait_;
  bool has_exit_fd_ = true;
  std::atomic<int> kills_{0};
};

class RunnerAttachTest : public HarnessTest {
 protected:
  void Run(std::vector<std::string> flags = {}, bool with_output = false) {
    plugin_ = std::make_unique<ForeignPlugin>(std::move(flags));
    runner_ = std::make_shared<AttachingRunner>(*plugin_, with_output);
  }

  std::unique_ptr<Client> MustReattach(const ReattachConfig& config,
                                       ClientOptions options = PlainOptions()) {
    auto client = Client::Reattach(config, runner_, std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  void TearDown() override {
    runner_.reset();
    plugin_.reset();
    HarnessTest::TearDown();
  }

  std::unique_ptr<ForeignPlugin> plugin_;
  std::shared_ptr<AttachingRunner> runner_;
};

TEST_F(RunnerAttachTest, CallAndShutdown) {
  Run();
  auto client = MustReattach(plugin_->config());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->pid(), -1);
  EXPECT_EQ(client->Ping(), absl::OkStatus());
  EXPECT_EQ(Get(*client, "!pid"), std::to_string(plugin_->child().pid));
  EXPECT_EQ(*client->reattach_config(), plugin_->config());
  ExpectError(client->broker().Dial(1).status(),
              {Reason::kBrokerUnsupported, "reattached", ""});
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_EQ(client->exit_status()->ToString(), "exit code 0");
  EXPECT_EQ(runner_->kills(), 0);
}

TEST_F(RunnerAttachTest, ItsOutputIsSeenWhereTheRunnerHasIt) {
  Run({"--stderr=hello from afar"}, /*with_output=*/true);
  auto sink = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = sink;
  auto client = MustReattach(plugin_->config(), options);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(sink->WaitForMessage("hello from afar"));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(RunnerAttachTest, KillComesInPlaceOfSignals) {
  Run({"--ignore-shutdown", "--ignore-sigterm"});
  auto client = MustReattach(plugin_->config(), ShortLadder());
  ASSERT_NE(client, nullptr);
  ExpectError(client->Shutdown(),
              {Reason::kShutdownForced, "ended by its runner's Kill", ""});
  EXPECT_FALSE(plugin_->Lives());
  EXPECT_EQ(runner_->kills(), 1);
}

TEST_F(RunnerAttachTest, ItsEndIsSeen) {
  Run();
  auto client = MustReattach(plugin_->config());
  ASSERT_NE(client, nullptr);
  Mailbox<ExitStatus> exit;
  client->OnExit([&exit](ExitStatus status, const absl::Status& why) {
    ExpectError(why, {Reason::kCrashed, "attaching runner id-9", ""});
    exit.Put(status);
  });
  EXPECT_TRUE(absl::StartsWith(Get(*client, "!exit:3"), "error: "));
  EXPECT_EQ(exit.Take()->ToString(), "exit code 3");
}

TEST_F(RunnerAttachTest, InTestModeItIsLeftRunning) {
  Run();
  ReattachConfig test = plugin_->config();
  test.test = true;
  auto client = MustReattach(test);
  ASSERT_NE(client, nullptr);
  ExpectError(client->Kill(), {Reason::kNoProcessControl, "test mode", ""});
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  client.reset();
  EXPECT_EQ(runner_->kills(), 0);
  EXPECT_TRUE(plugin_->Lives());
}

TEST_F(RunnerAttachTest, WhereWaitFailsOnlyAnOwnPluginIsKilled) {
  for (const bool test : {false, true}) {
    Run();
    runner_->set_wait(absl::UnavailableError("no answer"));
    ReattachConfig config = plugin_->config();
    config.test = test;
    auto client = MustReattach(config);
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(absl::StartsWith(Get(*client, "!exit:3"), "error: "));
    EXPECT_EQ(client->WaitForExit(absl::Seconds(20)).value_or(ExitStatus{}),
              ExitStatus());
    client.reset();
    EXPECT_EQ(runner_->kills(), test ? 0 : 1);
  }
}

TEST_F(RunnerAttachTest, DetachLeavesItToTheNextRunner) {
  Run();
  auto client = MustReattach(plugin_->config());
  ASSERT_NE(client, nullptr);
  const absl::StatusOr<ReattachConfig> config = client->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config, plugin_->config());
  client.reset();
  EXPECT_EQ(runner_->kills(), 0);
  runner_ = std::make_shared<AttachingRunner>(*plugin_);
  client = MustReattach(*config);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Kill(), absl::OkStatus());
  EXPECT_FALSE(plugin_->Lives());
}

TEST_F(RunnerAttachTest, Async) {
  Run();
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> ready;
  Client::ReattachAsync(plugin_->config(), runner_, ShortLadder(),
                        [&ready](absl::StatusOr<std::unique_ptr<Client>> c) {
                          ready.Put(std::move(c));
                        });
  absl::optional<absl::StatusOr<std::unique_ptr<Client>>> client = ready.Take();
  ASSERT_TRUE(client.has_value() && client->ok());
  EXPECT_EQ((**client)->Ping(), absl::OkStatus());
}

class RunnerAttachFaultTest : public RunnerAttachTest {
 protected:
  // The plugin is nobody's yet: it must be left as it was.
  void ExpectFault(const ReattachConfig& config, const ExpectedError& expected,
                   ClientOptions options = ShortLadder()) {
    const auto client = Client::Reattach(config, runner_, std::move(options));
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), expected);
    EXPECT_EQ(runner_ == nullptr ? 0 : runner_->kills(), 0);
    EXPECT_TRUE(plugin_->Lives());
  }
};

TEST_F(RunnerAttachFaultTest, NoRunner) {
  Run();
  runner_.reset();
  ExpectFault(plugin_->config(), {Reason::kOptions, "runner is null", ""});
}

TEST_F(RunnerAttachFaultTest, AttachFails) {
  Run();
  runner_->set_attach(absl::NotFoundError("no container id-9"));
  ExpectFault(plugin_->config(),
              {Reason::kReattachNotFound, "no container id-9", "has ended"});
  ExpectFault(plugin_->config(), {Reason::kReattachNotFound, "it rains", ""});
}

TEST_F(RunnerAttachFaultTest, NothingThatTellsOfTheExit) {
  Run();
  runner_->set_has_exit_fd(false);
  ExpectFault(plugin_->config(), {Reason::kSpawn, "no exit_fd", "runner.h"});
}

TEST_F(RunnerAttachFaultTest, WithAutoMtls) {
  Run();
  ExpectFault(plugin_->config(), {Reason::kOptions, "AutoMTLS", ""},
              KvOptions());
}

TEST_F(RunnerAttachFaultTest, ThePluginNeverAnswers) {
  Run();
  ASSERT_EQ(kill(plugin_->child().pid, SIGSTOP), 0);
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(300);
  ExpectFault(plugin_->config(),
              {Reason::kConnect, "attaching runner id-9", ""}, options);
}

TEST_F(RunnerAttachFaultTest, ThePluginEndsMeanwhile) {
  Run();
  ASSERT_EQ(kill(plugin_->child().pid, SIGSTOP), 0);
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> ready;
  Client::ReattachAsync(plugin_->config(), runner_, ShortLadder(),
                        [&ready](absl::StatusOr<std::unique_ptr<Client>> c) {
                          ready.Put(std::move(c));
                        });
  ASSERT_EQ(KillProcess(plugin_->child().pidfd), absl::OkStatus());
  const auto client = ready.Take();
  ASSERT_TRUE(client.has_value());
  ASSERT_FALSE(client->ok());
  ExpectError(client->status(), {Reason::kReattachNotFound, "", ""});
}

// What it brings afterwards is left as it is.
TEST_F(RunnerAttachFaultTest, AttachHangs) {
  Run();
  const auto gate = std::make_shared<Gate>();
  runner_->set_gate(gate);
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(300);
  const absl::Time start = absl::Now();
  ExpectFault(plugin_->config(),
              {Reason::kReattachNotFound, "within the start timeout", "Attach"},
              options);
  EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
  gate->Open();
  // The runner is let go of when its method is back.
  EXPECT_TRUE(Eventually([this] { return runner_.use_count() == 1; }));
  EXPECT_EQ(runner_->kills(), 0);
  EXPECT_TRUE(plugin_->Lives());
}

TEST_F(RunnerAttachFaultTest, CancelledWhileAttachHangs) {
  Run();
  const auto gate = std::make_shared<Gate>();
  runner_->set_gate(gate);
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> ready;
  LaunchOperation operation = Client::ReattachAsync(
      plugin_->config(), runner_, ShortLadder(),
      [&ready](absl::StatusOr<std::unique_ptr<Client>> c) {
        ready.Put(std::move(c));
      });
  ASSERT_TRUE(gate->AwaitArrivals(1, kPatience));
  const absl::Time start = absl::Now();
  EXPECT_EQ(operation.CancelAndWait(), absl::OkStatus());
  EXPECT_LT(absl::Now() - start, kGrace);
  ASSERT_TRUE(ready.Has());
  ExpectError(ready.Take()->status(), {Reason::kCancelled, "cancelled", ""});
  gate->Open();
  EXPECT_TRUE(Eventually([this] { return runner_.use_count() == 1; }));
  EXPECT_EQ(runner_->kills(), 0);
  EXPECT_TRUE(plugin_->Lives());
}

// Such a runner says so itself.
TEST_F(RunnerAttachFaultTest, ARunnerThatOnlyStarts) {
  class Starter final : public Runner {
   public:
    std::string Name() const override { return "starter"; }
    absl::StatusOr<RunnerProcess> Start(const RunnerRequest&) override {
      return absl::InternalError("");
    }
    absl::StatusOr<ExitStatus> Wait() override { return ExitStatus(); }
    absl::Status Kill() override { return absl::OkStatus(); }
  };
  Run();
  const auto client = Client::Reattach(
      plugin_->config(), std::make_shared<Starter>(), ShortLadder());
  ExpectError(client.status(),
              {Reason::kReattachNotFound, "only starts plugins", ""});
  EXPECT_TRUE(plugin_->Lives());
}

}  // namespace
}  // namespace goplugin::testing
