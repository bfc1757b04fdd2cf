// Serve under hosts that are killed, or close the pipes and live on.

#include <grpcpp/create_channel.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/door.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/mux/private_socket.h"
#include "goplugin/internal/net/open_connection.h"
#include "gtest/gtest.h"
#include "tests/support/serve/foreign_host.h"
#include "tests/support/serve/plugin_calls.h"
#include "tests/support/serve/plugin_process.h"

namespace goplugin {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// What Serve promises.
constexpr double kSeconds = 5;
// Longer than a plugin without a host lives.
constexpr auto kLong = std::chrono::milliseconds(3500);

// The multiplexed connection of a host.
class MuxConnection {
 public:
  // To the plugin at `socket`; `directory` is for sockets of its own.
  MuxConnection(const std::string& socket, const std::string& directory) {
    internal::Multiplexer::Options options;
    options.peer = "plugin";
    options.warn = [](const std::string& text) { ADD_FAILURE() << text; };
    multiplexer_ = internal::Multiplexer::Create(loop_, std::move(options));
    auto connection = internal::OpenConnection(
        {Endpoint::Network::kUnix, socket},
        std::chrono::steady_clock::now() + std::chrono::seconds(20));
    EXPECT_TRUE(connection.ok()) << connection.status();
    multiplexer_->Start(*std::move(connection));
    door_ = *multiplexer_->OpenMainDoor(
        *internal::MakeDoorSocketIn(*internal::Directory::Open(directory)));
  }
  ~MuxConnection() { Cut(); }

  std::string target() const { return "unix:" + door_->endpoint().address; }

  // As the death of its process does.
  void Cut() {
    absl::Notification cut;
    loop_.Post([&] {
      multiplexer_->End(absl::CancelledError("the host is gone"));
      cut.Notify();
    });
    cut.WaitForNotification();
  }

 private:
  internal::EventLoop loop_;
  std::shared_ptr<internal::Multiplexer> multiplexer_;
  std::shared_ptr<internal::Door> door_;
};

class LostHostPluginTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/lostXXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    environment_ = {{"PROBE_COOKIE", "probe"},
                    {"PLUGIN_PROTOCOL_VERSIONS", "2"},
                    {"PATH", "/usr/bin:/bin"},
                    {"TMPDIR", directory_}};
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
      if (const char* value = getenv(name)) environment_[name] = value;
    }
  }
  // Fails when a plugin has left something: its end was an orderly one.
  void TearDown() override { EXPECT_EQ(rmdir(directory_.c_str()), 0); }

  std::string Program() const { return getenv("PROBE_PLUGIN"); }
  // Through a shell that waits for it. `redirection` is the shell's.
  std::vector<std::string> InAShell(const std::string& redirection = "") const {
    return {"/bin/sh", "-c", absl::StrCat("\"$0\" ", redirection, "; exit $?"),
            Program()};
  }

  std::shared_ptr<grpc::Channel> Connect(const std::vector<std::string>& line) {
    return grpc::CreateChannel("unix:" + line.at(3),
                               grpc::InsecureChannelCredentials());
  }
  static bool Serves(grpc::Channel& channel) {
    wire::HealthCheckResponse health;
    return CallCheck(channel, "plugin", health).ok();
  }

  // Commands that lead the plugin's outputs elsewhere, or are gone before it.
  std::vector<std::vector<std::string>> Redirections() const {
    return {
        {"/bin/bash", "-c", "\"$0\" 2> >(cat >/dev/null); exit $?", Program()},
        {"/bin/sh", "-c", "exec 3>&1 1>/dev/null; \"$0\" 1>&3 3>&-; exit $?",
         Program()},
        {"/bin/sh", "-c", "\"$0\" & exit 0", Program()}};
  }

  // Starts the command, kills its host, and expects an orderly end of what that
  // has left: a shell tells its plugin's exit code.
  void ExpectEnd(std::vector<std::string> command) {
    ForeignHost host(std::move(command), environment_);
    ASSERT_THAT(host.line(), SizeIs(Ge(6u)));
    host.Kill();
    EXPECT_THAT(AwaitChildren(kSeconds), AllOf(Not(IsEmpty()), Each(0)));
  }

  std::string directory_;
  std::map<std::string, std::string> environment_;
};

TEST_F(LostHostPluginTest, EndsWithAHostThatIsKilled) {
  ExpectEnd({Program()});
}

TEST_F(LostHostPluginTest, EndsOverTcp) {
  environment_["PROBE_NETWORK"] = "tcp";
  ExpectEnd({Program()});
}

TEST_F(LostHostPluginTest, EndsWithAHostThatWantedMultiplexing) {
  environment_["PLUGIN_MULTIPLEX_GRPC"] = "true";
  ExpectEnd({Program()});
}

// The end of its connection, which comes first, is not a wish of the host's: it
// waits for nobody.
TEST_F(LostHostPluginTest, AMultiplexedMethodDoesNotOutliveTheHostEither) {
  environment_["PLUGIN_MULTIPLEX_GRPC"] = "true";
  environment_["PROBE_PATIENT"] = "1";
  ForeignHost host({Program()}, environment_);
  ASSERT_THAT(host.line(), SizeIs(7));
  MuxConnection connection(host.line().at(3), directory_);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(
      connection.target(), grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  proto::PutRequest request;
  request.set_key("spin");
  proto::Empty response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  auto spin = proto::KV::NewStub(channel)->AsyncPut(&context, request, &queue);
  spin->Finish(&response, &status, nullptr);
  // Behind it on the same connection.
  ASSERT_TRUE(Serves(*channel));
  connection.Cut();
  host.Kill();
  EXPECT_THAT(AwaitChildren(kSeconds), ElementsAre(0));
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  EXPECT_FALSE(status.ok());
}

// As hosts do: they hang up when they have the answer.
TEST_F(LostHostPluginTest, AMultiplexingHostThatHasAskedIsNotMissed) {
  environment_["PLUGIN_MULTIPLEX_GRPC"] = "true";
  PluginProcess plugin(Program(), environment_);
  const std::vector<std::string> line = plugin.ReadFields();
  ASSERT_THAT(line, SizeIs(7));
  MuxConnection connection(line.at(3), directory_);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateChannel(
      connection.target(), grpc::InsecureChannelCredentials());
  EXPECT_TRUE(CallShutdown(*channel).ok());
  connection.Cut();
  EXPECT_EQ(plugin.Wait(), 0);
  EXPECT_EQ(plugin.stderr_text(), "");
}

TEST_F(LostHostPluginTest, AShellInBetweenIsNotTheHost) {
  ExpectEnd(InAShell());
}

TEST_F(LostHostPluginTest, ShellsInAShellAreNeither) {
  ExpectEnd({"/bin/sh", "-c", "/bin/sh -c '\"$0\"; exit $?' \"$0\"; exit $?",
             Program()});
}

TEST_F(LostHostPluginTest, AFileForStderrTellsNothing) {
  const std::string log = directory_ + "/log";
  ExpectEnd(InAShell("2>>" + log));
  std::ifstream file(log);
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, "[INFO] the host is gone: the plugin ends");
  unlink(log.c_str());
}

// As of a host whose own stderr goes to "tee", or to a service manager's
// socket: that reads, and is not the host.
TEST_F(LostHostPluginTest, WhoeverReadsStderrIsNoHostUnlessItReadsTheLine) {
  ExpectEnd(
      {"/bin/bash", "-c", "exec \"$0\" 2> >(exec cat >/dev/null)", Program()});
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  constexpr int kLog = 77;
  ASSERT_EQ(dup2(sockets[1], kLog), kLog);
  ExpectEnd({"/bin/bash", "-c", "exec \"$0\" 2>&77", Program()});
  for (const int fd : {sockets[0], sockets[1], kLog}) close(fd);
}

TEST_F(LostHostPluginTest, WhateverRedirectsItsOutputsIsNotTheHost) {
  for (const std::vector<std::string>& command : Redirections()) {
    SCOPED_TRACE(command.at(2));
    ExpectEnd(command);
  }
}

// The host has heard of its end, and has no hold of the plugin any more.
TEST_F(LostHostPluginTest, EndsWhenTheShellInBetweenIsGoneAndTheHostLetsGo) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  PluginProcess shell(InAShell(), environment_);
  const std::vector<std::string> line = shell.ReadFields();
  ASSERT_THAT(line, SizeIs(6));
  ASSERT_TRUE(Serves(*Connect(line)));
  shell.Signal(SIGKILL);
  shell.CloseOutputs();
  EXPECT_EQ(shell.Wait(), 128 + SIGKILL);
  EXPECT_THAT(AwaitChildren(kSeconds), ElementsAre(0));
}

// Two looks are half a second apart.
TEST_F(LostHostPluginTest, ShortVisitsAreSeen) {
  ForeignHost host({Program()}, environment_);
  ASSERT_THAT(host.line(), SizeIs(6));
  host.Kill();
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(550));
    ASSERT_TRUE(Serves(*Connect(host.line()))) << i;
  }
  EXPECT_THAT(AwaitChildren(kSeconds), ElementsAre(0));
}

// In a pid namespace of its own it can't see whether it lives.
TEST_F(LostHostPluginTest, AHostOutsideItsPidNamespaceMayConnectLate) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may make namespaces";
  // LeakSanitizer looks for its threads by their numbers in /proc.
  environment_["ASAN_OPTIONS"] = "detect_leaks=0";
  PluginProcess plugin({"unshare", "-p", "-f", Program()}, environment_);
  const std::vector<std::string> line = plugin.ReadFields();
  ASSERT_THAT(line, SizeIs(6));
  plugin.CloseOutputs();
  std::this_thread::sleep_for(kLong);
  EXPECT_TRUE(Serves(*Connect(line)));
  // From then on it is missed when it goes.
  EXPECT_EQ(plugin.Wait(), 0);
}

// A host's descriptors may have become somebody else's as well.
TEST_F(LostHostPluginTest, LivesOnWhileSomebodyIsConnected) {
  ForeignHost host({Program()}, environment_);
  ASSERT_THAT(host.line(), SizeIs(6));
  std::shared_ptr<grpc::Channel> channel = Connect(host.line());
  ASSERT_TRUE(Serves(*channel));
  host.Kill();
  std::this_thread::sleep_for(kLong);
  EXPECT_TRUE(Serves(*channel));
  channel.reset();
  EXPECT_THAT(AwaitChildren(kSeconds), ElementsAre(0));
}

TEST_F(LostHostPluginTest, OutlivesItWhereThatIsWanted) {
  environment_["PROBE_OUTLIVES"] = "1";
  ForeignHost host({Program()}, environment_);
  ASSERT_THAT(host.line(), SizeIs(6));
  ASSERT_TRUE(Serves(*Connect(host.line())));
  host.Kill();
  std::this_thread::sleep_for(kLong);
  std::shared_ptr<grpc::Channel> channel = Connect(host.line());
  EXPECT_TRUE(Serves(*channel));
  EXPECT_TRUE(CallShutdown(*channel).ok());
  EXPECT_THAT(AwaitChildren(kSeconds), ElementsAre(0));
}

// Before its first call, and with a shell in between as well.
TEST_F(LostHostPluginTest, AHostThatClosesThePipesAndLivesIsNotLost) {
  PluginProcess direct(Program(), environment_);
  PluginProcess shell(InAShell(), environment_);
  const std::vector<std::string> direct_line = direct.ReadFields();
  const std::vector<std::string> shell_line = shell.ReadFields();
  ASSERT_THAT(direct_line, SizeIs(6));
  ASSERT_THAT(shell_line, SizeIs(6));
  direct.CloseOutputs();
  shell.CloseOutputs();
  std::this_thread::sleep_for(kLong);
  for (const auto& line : {direct_line, shell_line}) {
    std::shared_ptr<grpc::Channel> channel = Connect(line);
    EXPECT_TRUE(Serves(*channel));
    EXPECT_TRUE(CallShutdown(*channel).ok());
  }
  EXPECT_EQ(direct.Wait(), 0);
  EXPECT_EQ(shell.Wait(), 0);
}

TEST_F(LostHostPluginTest, BehindWhateverRedirectsItsOutputsNeither) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (const std::vector<std::string>& command : Redirections()) {
    SCOPED_TRACE(command.at(2));
    PluginProcess plugin(command, environment_);
    const std::vector<std::string> line = plugin.ReadFields();
    ASSERT_THAT(line, SizeIs(Ge(6u)));
    plugin.CloseOutputs();
    std::this_thread::sleep_for(kLong);
    std::shared_ptr<grpc::Channel> channel = Connect(line);
    EXPECT_TRUE(Serves(*channel));
    EXPECT_TRUE(CallShutdown(*channel).ok());
    channel.reset();
    EXPECT_EQ(plugin.Wait(), 0);
    EXPECT_THAT(AwaitChildren(kSeconds), Each(0));
  }
}

// How often the process's main thread, which watches, has gone to sleep.
int Switches(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/task/", pid, "/status"));
  int count = -1;
  for (std::string word; status >> word;) {
    if (word == "voluntary_ctxt_switches:") status >> count;
  }
  return count;
}

// Once it sleeps.
int SettledSwitches(pid_t pid) {
  for (int before = -1;;) {
    const int now = Switches(pid);
    if (now == before) return now;
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

// It sleeps until something happens: no thread of its own, no ticks.
TEST_F(LostHostPluginTest, TheWatchWakesNobody) {
  PluginProcess plugin(Program(), environment_);
  const std::vector<std::string> line = plugin.ReadFields();
  ASSERT_THAT(line, SizeIs(6));
  const int watching = SettledSwitches(plugin.pid());
  EXPECT_GT(watching, 0);
  std::this_thread::sleep_for(kLong);
  EXPECT_EQ(SettledSwitches(plugin.pid()), watching);
  // With both pipes closed it waits for the end of its starter alone.
  plugin.CloseOutputs();
  const int closed = SettledSwitches(plugin.pid());
  std::this_thread::sleep_for(kLong);
  EXPECT_EQ(SettledSwitches(plugin.pid()), closed);
  plugin.Signal(SIGTERM);
  EXPECT_EQ(plugin.Wait(), 0);
}

}  // namespace
}  // namespace goplugin
