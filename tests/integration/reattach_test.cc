// A plugin that outlives the client that started it, and the next client.

#include "goplugin/reattach.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

Command Survivor(std::vector<std::string> flags = {}) {
  Command command = ServerPlugin(std::move(flags));
  command.lifetime = Command::Lifetime::kOutlivesHost;
  return command;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool Lives(pid_t pid) { return kill(pid, 0) == 0; }

class ReattachTest : public HarnessTest {
 protected:
  // A plugin that was started, let go of, and runs.
  ReattachConfig Abandoned(std::vector<std::string> flags = {}) {
    std::unique_ptr<Client> client = MustLaunch(Survivor(std::move(flags)));
    if (client == nullptr) return {};
    absl::StatusOr<ReattachConfig> config = client->Detach();
    EXPECT_TRUE(config.ok()) << config.status();
    return config.value_or(ReattachConfig());
  }

  std::unique_ptr<Client> MustReattach(const ReattachConfig& config,
                                       ClientOptions options = PlainOptions()) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(config, std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  // Ends a plugin that nobody but the test looks after.
  void End(const ReattachConfig& config) {
    std::unique_ptr<Client> client = MustReattach(config);
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  }
};

TEST_F(ReattachTest, DetachLeavesThePluginToTheNextClient) {
  std::unique_ptr<Client> first = MustLaunch(Survivor());
  ASSERT_NE(first, nullptr);
  const pid_t pid = first->pid();
  EXPECT_EQ(Put(*first, "kept", "by the plugin"), "");
  Mailbox<absl::Status> exit;
  first->OnExit([&exit](ExitStatus status, absl::Status why) {
    EXPECT_EQ(status, ExitStatus());
    exit.Put(std::move(why));
  });
  const absl::StatusOr<ReattachConfig> config = first->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pid, pid);
  EXPECT_GT(config->start_time, 0u);
  EXPECT_EQ(config->protocol_version, 1u);
  EXPECT_FALSE(config->test);
  EXPECT_TRUE(absl::StartsWith(config->endpoint.address, temp()));
  ExpectError(*exit.Take(), {Reason::kNoProcessControl, "let go", "reattach"});
  EXPECT_FALSE(first->exited());
  EXPECT_EQ(first->Shutdown(), absl::OkStatus());
  EXPECT_EQ(*first->Detach(), *config);
  first.reset();
  EXPECT_TRUE(Lives(pid));

  std::unique_ptr<Client> second = MustReattach(*config);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->pid(), pid);
  EXPECT_EQ(second->protocol_version(), 1u);
  EXPECT_EQ(*second->reattach_config(), *config);
  EXPECT_EQ(second->Ping(), absl::OkStatus());
  EXPECT_TRUE(absl::StartsWith(Get(*second, "kept"), "by the plugin"));
  EXPECT_EQ(Get(*second, "!pid"), std::to_string(pid));
  EXPECT_EQ(second->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(second->exited());
  EXPECT_FALSE(Lives(pid));
}

TEST_F(ReattachTest, AgainAndAgain) {
  ReattachConfig config = Abandoned();
  for (int i = 0; i < 3; ++i) {
    std::unique_ptr<Client> client = MustReattach(config);
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Get(*client, "!pid"), std::to_string(config.pid));
    const absl::StatusOr<ReattachConfig> next = client->Detach();
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(*next, config);
  }
  std::unique_ptr<Client> last = MustReattach(config);
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->Kill(), absl::OkStatus());
  EXPECT_FALSE(Lives(config.pid));
}

TEST_F(ReattachTest, WhatItPrintsEndsNothingAfterItsHostIsGone) {
  const std::string log = ScratchPath("log");
  auto sink = std::make_shared<RecordingLogSink>();
  auto stdio = std::make_shared<RecordingStdioSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = sink;
  options.stdio_sink = stdio;
  Command command = Survivor({"--stderr=before the line"});
  command.stderr_file = log;
  std::unique_ptr<Client> first = MustLaunch(command, options);
  ASSERT_NE(first, nullptr);
  Get(*first, "!raw-stderr:seen by the host");
  Get(*first, "!raw-stdout:seen as well");
  EXPECT_TRUE(sink->WaitForMessage("before the line"));
  EXPECT_TRUE(sink->WaitForMessage("seen by the host"));
  EXPECT_TRUE(stdio->WaitForRaw("seen as well"));
  const absl::StatusOr<ReattachConfig> config = first->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  first.reset();

  std::unique_ptr<Client> second = MustReattach(*config);
  ASSERT_NE(second, nullptr);
  // More than a pipe would hold.
  for (int i = 0; i < 200; ++i) {
    Get(*second, absl::StrCat("!raw-stderr:", std::string(1000, 'e')));
    Get(*second, absl::StrCat("!raw-stdout:", std::string(1000, 'o')));
  }
  EXPECT_EQ(Get(*second, "!pid"), std::to_string(config->pid));
  EXPECT_EQ(second->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(absl::StrContains(ReadAll(log), "seen by the host"));
  EXPECT_GT(ReadAll(log).size(), 200u * 1000);
}

TEST_F(ReattachTest, ADestructorEndsWhatOutlivesOnlyTheHost) {
  std::unique_ptr<Client> client = MustLaunch(Survivor());
  ASSERT_NE(client, nullptr);
  const pid_t pid = client->pid();
  client.reset();
  EXPECT_FALSE(Lives(pid));
}

TEST_F(ReattachTest, TestModeIsLeftRunning) {
  const ReattachConfig config = Abandoned();
  ReattachConfig test = config;
  test.test = true;
  std::unique_ptr<Client> client = MustReattach(test);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  ExpectError(client->Kill(),
              {Reason::kNoProcessControl, "test mode", "where it was started"});
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(*client->reattach_config(), test);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(client->WaitForExit(absl::Seconds(5)).status(),
              {Reason::kNoProcessControl, "let go", ""});
  ExpectError(client->Explain(grpc::Status(grpc::UNAVAILABLE, "gone")),
              {Reason::kShutDown, "UNAVAILABLE", "make no calls"});
  client.reset();
  MustReattach(test).reset();
  EXPECT_TRUE(Lives(config.pid));
  End(config);
}

TEST_F(ReattachTest, ItsCrashIsSeen) {
  const ReattachConfig config = Abandoned();
  std::unique_ptr<Client> client = MustReattach(config);
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> exit;
  client->OnExit([&exit](ExitStatus /*status*/, absl::Status why) {
    exit.Put(std::move(why));
  });
  ASSERT_EQ(kill(config.pid, SIGKILL), 0);
  ExpectError(*exit.Take(), {Reason::kCrashed, "ended unasked", ""});
  EXPECT_TRUE(client->WaitForExit(absl::Seconds(20)).ok());
  ExpectError(client->Shutdown(), {Reason::kCrashed, "ended unasked", ""});
}

TEST_F(ReattachTest, Async) {
  const ReattachConfig config = Abandoned();
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> ready;
  Client::ReattachAsync(config, PlainOptions(),
                        [&ready](absl::StatusOr<std::unique_ptr<Client>> c) {
                          ready.Put(std::move(c));
                        });
  absl::optional<absl::StatusOr<std::unique_ptr<Client>>> client = ready.Take();
  ASSERT_TRUE(client.has_value() && client->ok());
  EXPECT_TRUE(Answers(***client));
}

TEST_F(ReattachTest, OverTcp) {
  const ReattachConfig config = Abandoned({"--network=tcp"});
  std::unique_ptr<Client> client = MustReattach(config);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->pid(), config.pid);
  ReattachConfig bare = *client->Detach();
  // The kernel's tables tell as well.
  bare.start_time = 0;
  client = MustReattach(bare);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->pid(), config.pid);
  EXPECT_EQ(*client->reattach_config(), config);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_TRUE(client->exited());
}

TEST_F(ReattachTest, OverTcpWithoutAnythingThatProvesIt) {
  const ReattachConfig config = Abandoned({"--network=tcp"});
  ReattachConfig bare = config;
  bare.start_time = 0;
  bare.pid = 0;
  auto sink = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = sink;
  std::unique_ptr<Client> client = MustReattach(bare, options);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(sink->WaitForMessage("neither watched nor signalled"));
  EXPECT_EQ(client->pid(), -1);
  EXPECT_EQ(Get(*client, "!pid"), std::to_string(config.pid));
  ExpectError(client->Kill(),
              {Reason::kNoProcessControl, "signalled", "Shutdown"});
  ExpectError(client->WaitForExit(absl::Seconds(5)).status(),
              {Reason::kNoProcessControl, "seen", ""});
  // Asked, it goes; that it went is not seen.
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  // It is a child that was let go of, and leaves no zombie while there are
  // clients.
  const std::unique_ptr<Client> another = MustLaunch(ServerPlugin({}));
  ASSERT_NE(another, nullptr);
  EXPECT_TRUE(Eventually([&] { return !Lives(config.pid); }));
}

TEST_F(ReattachTest, TheUnixSocketTellsAProcessThatTheConfigDoesNot) {
  const ReattachConfig config = Abandoned();
  ReattachConfig bare = config;
  bare.start_time = 0;
  bare.pid = 0;
  std::unique_ptr<Client> client = MustReattach(bare);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(*client->reattach_config(), config);
}

// What Detach refuses leaves the client as it was.
class DetachFaultTest : public HarnessTest {};

TEST_F(DetachFaultTest, APluginThatDiesWithItsHost) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  ExpectError(client->Detach().status(),
              {Reason::kOptions, "not started to outlive", "kOutlivesHost"});
  EXPECT_TRUE(client->reattach_config().ok());
  EXPECT_TRUE(Answers(*client));
}

TEST_F(DetachFaultTest, UnderAutoMtlsThereIsNoConfig) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), KvOptions());
  ASSERT_NE(client, nullptr);
  ExpectError(client->reattach_config().status(),
              {Reason::kOptions, "one-time certificate", "kManual"});
}

TEST_F(DetachFaultTest, SurvivalWithAutoMtls) {
  ExpectError(Client::Launch(Survivor(), KvOptions()).status(),
              {Reason::kOptions, "one-time certificate", "kManual"});
}

TEST_F(DetachFaultTest, AStderrFileForOneThatDiesWithItsHost) {
  Command command = ServerPlugin({});
  command.stderr_file = ScratchPath("log");
  ExpectError(Client::Launch(command, PlainOptions()).status(),
              {Reason::kOptions, "stderr_file", "kOutlivesHost"});
}

TEST_F(DetachFaultTest, AStderrFileInNoDirectory) {
  Command command = Survivor();
  command.stderr_file = ScratchPath("missing/log");
  ExpectError(Client::Launch(command, PlainOptions()).status(),
              {Reason::kOptions, "No such file", "directory that exists"});
}

TEST_F(DetachFaultTest, AfterACrash) {
  std::unique_ptr<Client> client = MustLaunch(Survivor());
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  ASSERT_TRUE(client->WaitForExit(absl::Seconds(20)).ok());
  ExpectError(client->Detach().status(),
              {Reason::kCrashed, "ended unasked", ""});
}

TEST_F(DetachFaultTest, AfterShutdown) {
  std::unique_ptr<Client> client = MustLaunch(Survivor());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(client->Detach().status(),
              {Reason::kShutDown, "the plugin with it", "instead of"});
}

// A host that is killed leaves a survivor behind, and has said where. By
// GOPLUGIN_LONG_TESTS the next one takes its time.
TEST_F(ReattachTest, AfterTheHostWasKilled) {
  const std::string program = RunfilePath("tests/integration/lonely_host");
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  const pid_t host = fork();
  ASSERT_GE(host, 0);
  if (host == 0) {
    dup2(pipe[1], STDOUT_FILENO);
    execl(program.c_str(), program.c_str(), "survive", nullptr);
    _exit(127);
  }
  close(pipe[1]);
  FILE* stream = fdopen(pipe[0], "r");
  char text[4096] = {};
  const char* line = fgets(text, sizeof text, stream);
  fclose(stream);
  ASSERT_EQ(kill(host, SIGKILL), 0);
  EXPECT_EQ(waitpid(host, nullptr, 0), host);
  ASSERT_NE(line, nullptr);

  const absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(text);
  ASSERT_TRUE(providers.ok()) << providers.status();
  ASSERT_EQ(providers->count("kv"), 1u);
  const ReattachConfig config = providers->at("kv");
  if (getenv("GOPLUGIN_LONG_TESTS") != nullptr) {
    absl::SleepFor(absl::Seconds(65));
  }
  EXPECT_TRUE(Lives(config.pid));
  std::unique_ptr<Client> client = MustReattach(config);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  // An orphan, which the harness adopted.
  EXPECT_EQ(waitpid(config.pid, nullptr, 0), config.pid);
}

}  // namespace
}  // namespace goplugin::testing
