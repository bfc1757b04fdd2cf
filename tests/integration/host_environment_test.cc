// Hosts that are set up in ways a library must live with.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr char kNotSet[] = "error: not set";

// The exit status, or that somebody else took it.
bool IsOrUnknown(absl::optional<ExitStatus> status, ExitStatus expected) {
  return status.has_value() &&
         (*status == expected || status->kind == ExitStatus::Kind::kUnknown);
}

class HostEnvironmentTest : public HarnessTest {
 protected:
  // A whole life, and a crash, where exit statuses may be lost.
  static void ExpectLifeAndCrash() {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    const absl::Status bye = client->Shutdown();
    EXPECT_TRUE(bye.ok()) << bye;
    EXPECT_TRUE(
        IsOrUnknown(client->exit_status(), {ExitStatus::Kind::kExited, 0}));

    client = MustLaunch(ServerPlugin({}));
    ASSERT_NE(client, nullptr);
    Get(*client, "!panic:lost");
    ASSERT_TRUE(client->WaitForExit(kPatience).ok());
    EXPECT_TRUE(
        IsOrUnknown(client->exit_status(), {ExitStatus::Kind::kExited, 2}));
    // The words are there even where the number is not.
    ExpectError(client->Shutdown(),
                {Reason::kCrashed, "panic: lost", "panicked"});

    absl::StatusOr<std::unique_ptr<Client>> failed =
        Client::Launch(Misbehave({"exit-stderr"}), PlainOptions());
    ExpectError(failed.status(), {Reason::kExitedEarly, "/etc/kv.conf",
                                  "Check what the plugin wrote"});
  }
};

TEST_F(HostEnvironmentTest, SigchldIgnored) {
  const auto before = signal(SIGCHLD, SIG_IGN);
  ExpectLifeAndCrash();
  EXPECT_EQ(signal(SIGCHLD, before), SIG_IGN);
}

TEST_F(HostEnvironmentTest, WaitsForAnyChild) {
  std::atomic<bool> stop{false};
  std::thread reaper([&stop] {
    while (!stop) {
      // Without children there is nothing to block in.
      if (waitpid(-1, nullptr, WNOHANG) <= 0) usleep(500);
    }
  });
  ExpectLifeAndCrash();
  stop = true;
  reaper.join();
}

TEST_F(HostEnvironmentTest, StrayProtocolVariables) {
  const std::pair<const char*, const char*> strays[] = {
      {"PLUGIN_PROTOCOL_VERSIONS", "9"},
      {"PLUGIN_CLIENT_CERT", "garbage"},
      {"PLUGIN_UNIX_SOCKET_DIR", "/no/such"},
      {"PLUGIN_UNIX_SOCKET_GROUP", "nobody"},
      {"PLUGIN_MULTIPLEX_GRPC", "true"},
      {"PLUGIN_MIN_PORT", "1"},
      {"PLUGIN_MAX_PORT", "2"},
      {"BASIC_PLUGIN", "of another host"},
      {"PLUGIN_FAVOURITE_COLOUR", "blue"},
  };
  for (const auto& [name, value] : strays) setenv(name, value, 1);
  {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Get(*client, "!env:PLUGIN_PROTOCOL_VERSIONS"), "1");
    EXPECT_EQ(Get(*client, "!env:PLUGIN_CLIENT_CERT"), kNotSet);
    EXPECT_TRUE(
        absl::StartsWith(Get(*client, "!env:PLUGIN_UNIX_SOCKET_DIR"), temp()));
    EXPECT_EQ(Get(*client, "!env:PLUGIN_UNIX_SOCKET_GROUP"), kNotSet);
    EXPECT_EQ(Get(*client, "!env:PLUGIN_MULTIPLEX_GRPC"), kNotSet);
    EXPECT_EQ(Get(*client, "!env:PLUGIN_MIN_PORT"), "10000");
    EXPECT_EQ(Get(*client, "!env:PLUGIN_MAX_PORT"), "25000");
    EXPECT_EQ(Get(*client, "!env:BASIC_PLUGIN"), "hello");
    // None of the protocol's.
    EXPECT_EQ(Get(*client, "!env:PLUGIN_FAVOURITE_COLOUR"), "blue");
  }
  for (const auto& [name, value] : strays) {
    EXPECT_STREQ(getenv(name), value) << "the host's own was changed";
    unsetenv(name);
  }
}

TEST_F(HostEnvironmentTest, InheritedOnlyWhenWanted) {
  setenv("HOST_ENVIRONMENT_TEST", "seen", 1);
  for (const bool wanted : {true, false}) {
    Command command = ServerPlugin({});
    command.inherit_env = wanted;
    command.env.push_back({"OF_THE_COMMAND", "seen as well"});
    std::unique_ptr<Client> client = MustLaunch(command);
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Get(*client, "!env:HOST_ENVIRONMENT_TEST"),
              wanted ? "seen" : kNotSet);
    EXPECT_EQ(Get(*client, "!env:OF_THE_COMMAND"), "seen as well");
    EXPECT_EQ(Get(*client, "!env:BASIC_PLUGIN"), "hello");
  }
  unsetenv("HOST_ENVIRONMENT_TEST");
}

TEST_F(HostEnvironmentTest, HttpProxy) {
  // Nobody is there.
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy"}) {
    setenv(name, "http://127.0.0.1:1", 1);
  }
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--network=tcp"}), KvOptions());
  for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy"}) {
    unsetenv(name);
  }
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(Get(*client, "!env:http_proxy"), "http://127.0.0.1:1");
}

// A million, or as many as are allowed here.
rlimit RaiseOpenFiles() {
  rlimit before = {};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit raised = {1000000, 1000000};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return before;
  raised = {before.rlim_max, before.rlim_max};
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &raised), 0);
  return before;
}

// Takes all descriptors but `left` for as long as it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(std::size_t left) {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit few = {300, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    int taken = 0;
    while ((taken = dup(STDERR_FILENO)) >= 0) taken_.push_back(taken);
    EXPECT_EQ(errno, EMFILE);
    EXPECT_GE(taken_.size(), left);
    for (std::size_t i = 0; i < left && !taken_.empty(); ++i) {
      close(taken_.back());
      taken_.pop_back();
    }
  }
  ~FewDescriptors() {
    for (const int taken : taken_) close(taken);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_ = {};
  std::vector<int> taken_;
};

// The first client needs some for the SDK's own threads, each for its plugin.
TEST_F(HostEnvironmentTest, NoDescriptorsLeft) {
  for (const std::size_t left : {0, 1, 5, 10, 20}) {
    const FewDescriptors few(left);
    const auto client = Client::Launch(ServerPlugin({}), PlainOptions());
    ASSERT_FALSE(client.ok()) << left;
    ExpectError(client.status(), {Reason::kSpawn, "Too many open files",
                                  "the host's limit of open files"});
  }
}

TEST_F(HostEnvironmentTest, NoDescriptorsLeftAndNobodyWaits) {
  Mailbox<absl::Status> ended;
  {
    const FewDescriptors few(0);
    Client::LaunchAsync(ServerPlugin({}), PlainOptions(),
                        [&ended](absl::StatusOr<std::unique_ptr<Client>> c) {
                          ended.Put(c.status());
                        })
        .Cancel();
    ExpectError(*ended.Take(), {Reason::kSpawn, "no descriptors left", ""});
  }
  EXPECT_NE(MustLaunch(ServerPlugin({})), nullptr);
}

TEST_F(HostEnvironmentTest, NoDescriptorsLeftForOneMore) {
  const auto client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  for (const std::size_t left : {0, 1, 2, 3, 4}) {
    const FewDescriptors few(left);
    const auto more = Client::Launch(ServerPlugin({}), PlainOptions());
    ASSERT_FALSE(more.ok()) << left;
    EXPECT_TRUE(
        absl::StrContains(more.status().message(), "Too many open files"))
        << more.status();
    EXPECT_TRUE(Answers(*client));
  }
}

TEST_F(HostEnvironmentTest, AMillionOpenFilesAllowed) {
  const rlimit before = RaiseOpenFiles();
  rlimit now = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  // One that a child would inherit, where a loop over all would end.
  const int wanted = static_cast<int>(now.rlim_cur) - 10;
  const int high = fcntl(STDERR_FILENO, F_DUPFD, wanted);
  ASSERT_GE(high, wanted);
  const absl::Time start = absl::Now();
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  EXPECT_LT(absl::Now() - start, PlainOptions().start_timeout);
  ASSERT_NE(client, nullptr);
  const std::string open = Get(*client, "!fds");
  EXPECT_TRUE(absl::StrContains(open, "0 /dev/null\n")) << open;
  EXPECT_FALSE(absl::StrContains(open, absl::StrCat(high, " "))) << open;
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  close(high);
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

// The plugin starts with an empty mask, and the host keeps its own.
TEST_F(HostEnvironmentTest, SignalsBlockedInTheHost) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  sigset_t after;
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
  EXPECT_EQ(sigismember(&after, SIGUSR1), 1);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(absl::StrContains(Get(*client, "!status"),
                                "SigBlk:\t0000000000000000\n"));
}

// What the kernel sends at the death of the launching thread must not come.
TEST_F(HostEnvironmentTest, TheLaunchingThreadEnds) {
  std::unique_ptr<Client> client;
  std::thread([&] { client = MustLaunch(ServerPlugin({})); }).join();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// What a forked worker sees of its parent's client: 0, or which part failed.
int UseInForkedChild(std::unique_ptr<Client> client) {
  const auto forked = [](const absl::Status& status) {
    const absl::optional<ErrorDetails> details = GetErrorDetails(status);
    return details.has_value() && details->reason == Reason::kForked &&
           absl::StrContains(details->hint, "exec first");
  };
  if (!forked(client->Ping())) return 1;
  if (!forked(client->Shutdown())) return 2;
  if (!forked(client->Kill())) return 3;
  if (!forked(client->WaitForExit(absl::Seconds(1)).status())) return 4;
  if (!forked(client->Explain(grpc::Status::CANCELLED))) return 5;
  absl::Status told;
  client->ShutdownAsync([&](absl::Status status) { told = std::move(status); });
  if (!forked(told)) return 6;
  const std::unique_ptr<Client> both[] = {std::move(client)};
  if (!forked(Client::ShutdownAll(both, absl::Seconds(1)))) return 7;
  return 0;
}

TEST_F(HostEnvironmentTest, ForksAWorkerAfterwards) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  const pid_t worker = fork();
  ASSERT_GE(worker, 0);
  if (worker == 0) {
    alarm(20);
    _exit(UseInForkedChild(std::move(client)));
  }
  int status = 0;
  ASSERT_EQ(waitpid(worker, &status, 0), worker);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(Answers(*client));
  EXPECT_TRUE(client->Ping().ok());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// A worker that goes by exec, as popen and system do, changes nothing either.
TEST_F(HostEnvironmentTest, RunsAnotherProgram) {
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(system("exit 0"), 0);
  EXPECT_TRUE(Answers(*client));
}

class LonelyHostTest : public HarnessTest {
 protected:
  // Starts the host with its files out of the way: nobody sweeps them.
  void StartHost(const char* way) {
    setenv("TMPDIR", ScratchPath("").c_str(), 1);
    setenv("XDG_RUNTIME_DIR", ScratchPath("").c_str(), 1);
    const std::string program = RunfilePath("tests/integration/lonely_host");
    int pipe[2];
    ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
    host_ = fork();
    ASSERT_GE(host_, 0);
    if (host_ == 0) {
      dup2(pipe[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), way, nullptr);
      _exit(127);
    }
    close(pipe[1]);
    FILE* stream = fdopen(pipe[0], "r");
    EXPECT_EQ(fscanf(stream, "%d", &plugin_), 1);
    fclose(stream);
  }

  // The harness made the orphaned plugin this process's child.
  void ExpectPluginKilled() const {
    int status = 0;
    ASSERT_EQ(waitpid(plugin_, &status, 0), plugin_);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }

  pid_t host_ = -1;
  pid_t plugin_ = -1;
};

TEST_F(LonelyHostTest, APluginDiesWithItsHostsSigkill) {
  StartHost("wait");
  ASSERT_GT(plugin_, 0);
  ASSERT_EQ(kill(plugin_, 0), 0);
  ASSERT_EQ(kill(host_, SIGKILL), 0);
  EXPECT_EQ(waitpid(host_, nullptr, 0), host_);
  ExpectPluginKilled();
}

TEST_F(LonelyHostTest, APluginDiesWithItsHostsExit) {
  StartHost("exit");
  ASSERT_GT(plugin_, 0);
  EXPECT_EQ(waitpid(host_, nullptr, 0), host_);
  ExpectPluginKilled();
}

}  // namespace
}  // namespace goplugin::testing
