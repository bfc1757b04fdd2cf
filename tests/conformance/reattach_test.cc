// Plugins that run already, and hosts that come later: this SDK's Serve with a
// stock Go host, a stock Go plugin with this SDK's Client, and the text that
// both read.

#include "goplugin/reattach.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A plugin that a person started: the lines it prints are read here. Ended by
// SIGINT, as by Ctrl-C.
class HandStarted {
 public:
  HandStarted(std::vector<std::string> argv, const std::string& directory) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      std::vector<char*> pointers;
      for (std::string& word : argv) pointers.push_back(&word[0]);
      pointers.push_back(nullptr);
      if (chdir(directory.c_str()) == 0) execv(pointers[0], pointers.data());
      _exit(127);
    }
    close(ends[1]);
    stdout_ = fdopen(ends[0], "r");
  }
  ~HandStarted() {
    if (pid_ > 0) End(SIGKILL);
    fclose(stdout_);
  }

  // The next line that begins with `start`.
  std::string ReadLine(const std::string& start) {
    char line[4096];
    while (fgets(line, sizeof line, stdout_) != nullptr) {
      if (absl::StartsWith(line, start)) {
        return std::string(absl::StripSuffix(line, "\n"));
      }
    }
    return "";
  }

  pid_t pid() const { return pid_; }
  bool lives() const { return waitpid(pid_, nullptr, WNOHANG) == 0; }

  // The exit code, or minus the signal: SIGKILL if it does not end in time.
  int End(int signal) {
    kill(pid_, signal);
    int status = 0;
    const absl::Time give_up = absl::Now() + absl::Seconds(20);
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (absl::Now() > give_up) kill(pid_, SIGKILL);
      absl::SleepFor(absl::Milliseconds(5));
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  FILE* stdout_ = nullptr;
};

class ReattachConformanceTest : public PeersTest {
 protected:
  ReattachConformanceTest() : PeersTest({"host", "kv"}) {}

  HandStarted CppPlugin() {
    return HandStarted(
        {RunfilePath("examples/plugin_cpp/plugin_cpp"), "--debug"}, data());
  }
  HandStarted GoPlugin() {
    return HandStarted({PeerPath("kv"), "-test-mode"}, data());
  }

  HostResult GoHost(const std::string& text, std::vector<std::string> steps) {
    std::vector<std::string> argv = {PeerPath("host"), "-reattach", text};
    argv.insert(argv.end(), steps.begin(), steps.end());
    return RunHost({std::move(argv), data(), {}, ScratchPath("output")});
  }
};

ClientOptions Insecure() { return KvOptionsWith(TlsMode::kInsecure); }

TEST_F(ReattachConformanceTest, AStockHostReattachesToServeInTestMode) {
  HandStarted plugin = CppPlugin();
  const std::string text = plugin.ReadLine("{");
  for (int i = 0; i < 2; ++i) {
    const HostResult result =
        GoHost(text, {"-put", "hello=world", "-get", "hello", "-ping"});
    EXPECT_EQ(result.exit_code, 0) << result.output;
    const HostReport report(result.output);
    EXPECT_TRUE(report.Flag("/ok")) << report.Text("/error");
    EXPECT_EQ(report.Text("/protocol"), "grpc");
    EXPECT_EQ(report.Number("/version"), 1);
    EXPECT_EQ(report.Text("/steps/1/value"),
              "world\n\nWritten from plugin_cpp");
    // Go's test mode: its Kill left the plugin alone.
    EXPECT_TRUE(plugin.lives());
  }
  EXPECT_EQ(plugin.End(SIGINT), 0);
}

TEST_F(ReattachConformanceTest, AStockHostEndsAPluginThatIsNotInTestMode) {
  HandStarted plugin = CppPlugin();
  absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(plugin.ReadLine("{"));
  ASSERT_TRUE(providers.ok()) << providers.status();
  ReattachConfig config = providers->at("kv");
  config.test = false;
  // A stock host takes a process that nobody has waited for as running.
  std::thread parent([&plugin] { EXPECT_EQ(plugin.End(0), 0); });
  const HostResult result =
      GoHost(*FormatReattachProviders({{"kv", config}}), {"-ping"});
  parent.join();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  const HostReport report(result.output);
  EXPECT_FALSE(report.Flag("/forced")) << result.output;
}

TEST_F(ReattachConformanceTest, OurClientReattachesToServeInTestMode) {
  HandStarted plugin = CppPlugin();
  const absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(plugin.ReadLine("{"));
  ASSERT_TRUE(providers.ok()) << providers.status();
  const ReattachConfig config = providers->at("kv");
  EXPECT_EQ(config.pid, plugin.pid());
  EXPECT_TRUE(config.test);
  EXPECT_GT(config.start_time, 0u);
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(config, Insecure());
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ(Put(**client, "hello", "world"), "");
    EXPECT_EQ((*client)->Ping(), absl::OkStatus());
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
    EXPECT_TRUE(plugin.lives());
  }
  EXPECT_EQ(plugin.End(SIGTERM), 0);
}

TEST_F(ReattachConformanceTest, OurClientReattachesToAStockPluginInTestMode) {
  HandStarted plugin = GoPlugin();
  const std::string entry = plugin.ReadLine("{");
  const absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(absl::StrCat("{\"kv\":", entry, "}"));
  ASSERT_TRUE(providers.ok()) << providers.status();
  const ReattachConfig config = providers->at("kv");
  EXPECT_TRUE(config.test);
  EXPECT_EQ(config.pid, plugin.pid());
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(config, Insecure());
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->pid(), plugin.pid());
    EXPECT_EQ(Get(**client, "!pid"), std::to_string(plugin.pid()));
    EXPECT_EQ((*client)->Ping(), absl::OkStatus());
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
    EXPECT_TRUE(plugin.lives());
  }
  // A stock plugin in test mode hears no signal.
  EXPECT_EQ(plugin.End(SIGKILL), -SIGKILL);
  EXPECT_EQ(unlink(config.endpoint.address.c_str()), 0);
}

TEST_F(ReattachConformanceTest, OurClientEndsAStockPluginThatItReattachedTo) {
  HandStarted plugin = GoPlugin();
  absl::StatusOr<ReattachProviders> providers = ParseReattachProviders(
      absl::StrCat("{\"kv\":", plugin.ReadLine("{"), "}"));
  ASSERT_TRUE(providers.ok()) << providers.status();
  ReattachConfig config = providers->at("kv");
  config.test = false;
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Reattach(config, Insecure());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
  EXPECT_TRUE((*client)->exited());
  EXPECT_EQ(plugin.End(0), 0);
}

TEST_F(ReattachConformanceTest, AStockPluginOutlivesOurClient) {
  Command command = Peer("kv", {});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  command.stderr_file = ScratchPath("log");
  absl::StatusOr<std::unique_ptr<Client>> first =
      Client::Launch(command, Insecure());
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<ReattachConfig> config = (*first)->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  first->reset();
  std::thread parent(
      [&config] { EXPECT_EQ(waitpid(config->pid, nullptr, 0), config->pid); });
  // It is a host's of another make, too.
  const HostResult result =
      GoHost(*FormatReattachProviders({{"kv", *config}}), {"-get", "!pid"});
  parent.join();
  const HostReport report(result.output);
  EXPECT_TRUE(report.Flag("/ok")) << result.output;
  EXPECT_EQ(report.Text("/steps/0/value"), std::to_string(config->pid));
  // Which has ended it.
  ExpectError(Client::Reattach(*config, Insecure()).status(),
              {Reason::kReattachNotFound, "is gone", "start it again"});
  // The launch forgets the child, and sweeps the directory, which is nobody's.
  EXPECT_TRUE(Client::Launch(Peer("kv", {}), Insecure()).ok());
  const std::string socket = config->endpoint.address;
  EXPECT_NE(access(socket.substr(0, socket.rfind('/')).c_str(), F_OK), 0);
}

TEST_F(ReattachConformanceTest, AStockPluginReattachedToAfterDetach) {
  Command command = Peer("kv", {});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Launch(command, Insecure());
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::StatusOr<ReattachConfig> config = (*client)->Detach();
  ASSERT_TRUE(config.ok()) << config.status();
  client = Client::Reattach(*config, Insecure());
  ASSERT_TRUE(client.ok()) << client.status();
  ExpectFullWalk(**client, "");
}

}  // namespace
}  // namespace goplugin::testing
