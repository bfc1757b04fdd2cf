// Reattach configs that lead to nothing, or to somebody else.

#include <fcntl.h>
#include <grpc/grpc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/reattach.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

// A process that does nothing and must not be touched.
class Bystander {
 public:
  Bystander() : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) pause();
  }
  ~Bystander() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool lives() const { return waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  const pid_t pid_;
};

class ReattachFaultTest : public HarnessTest {
 protected:
  // A config of a plugin that is gone.
  ReattachConfig Gone(std::vector<std::string> flags = {}) {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin(std::move(flags)));
    return client == nullptr ? ReattachConfig() : *client->reattach_config();
  }

  // What the system gives to the process at the other end: an end of a unix
  // socket that listens here.
  int Listen(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address),
              0);
    EXPECT_EQ(listen(fd, 16), 0);
    return fd;
  }

  void ExpectFault(const ReattachConfig& config, const ExpectedError& expected,
                   ClientOptions options = PlainOptions()) {
    options.start_timeout = absl::Milliseconds(1500);
    // gRPC keeps a connection that is not answered for 20 s otherwise, also
    // after its channel is gone.
    options.channel_arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    const absl::Time start = absl::Now();
    const absl::Status status = Client::Reattach(config, options).status();
    EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
    ExpectError(status, expected);
  }
};

TEST_F(ReattachFaultTest, ToNothing) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("missing");
  config.pid = getpid();
  ExpectFault(config, {Reason::kReattachNotFound, "No such file", "start it"});
}

TEST_F(ReattachFaultTest, ToAPluginThatEnded) {
  const ReattachConfig config = Gone();
  ExpectFault(config, {Reason::kReattachNotFound,
                       absl::StrCat("there is no process ", config.pid),
                       "start it again"});
}

TEST_F(ReattachFaultTest, ToAPluginThatEndedOverTcp) {
  ExpectFault(Gone({"--network=tcp"}),
              {Reason::kReattachNotFound, "is gone", "start it again"});
}

TEST_F(ReattachFaultTest, ToADeadSocket) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("dead");
  close(Listen(config.endpoint.address));
  ExpectFault(config,
              {Reason::kReattachNotFound, "Connection refused", "start it"});
}

TEST_F(ReattachFaultTest, ToAFile) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("file");
  std::ofstream(config.endpoint.address) << "no socket";
  ExpectFault(config, {Reason::kTransport, "file, mode", ""});
}

TEST_F(ReattachFaultTest, ToAnotherProcessAtTheSocket) {
  const Bystander bystander;
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("other");
  const int listener = Listen(config.endpoint.address);
  config.pid = bystander.pid();
  ExpectFault(config, {Reason::kReattachNotFound,
                       absl::StrCat("process ", getpid(), " listens"),
                       "Nothing was sent"});
  close(listener);
  EXPECT_TRUE(bystander.lives());
}

TEST_F(ReattachFaultTest, ToAnotherProcessThatHasThePid) {
  const Bystander bystander;
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({"--network=tcp"}));
  ASSERT_NE(client, nullptr);
  ReattachConfig config = *client->reattach_config();
  config.pid = bystander.pid();
  ExpectFault(config,
              {Reason::kReattachNotFound, "somebody else", "Nothing was sent"});
  config.start_time = 0;
  ExpectFault(config, {Reason::kReattachNotFound,
                       "another process listens at that port", ""});
  EXPECT_TRUE(bystander.lives());
  EXPECT_TRUE(Answers(*client));
}

// Gives `pid` to a new process; -1 when the system does not let it. Others may
// start processes at the same time, so it takes some tries.
pid_t TakePid(pid_t pid) {
  for (int tries = 0; tries < 100; ++tries) {
    std::ofstream last("/proc/sys/kernel/ns_last_pid");
    if (!(last << pid - 1 << std::flush)) return -1;
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (true) pause();
    }
    if (child == pid) return child;
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  return -1;
}

void ExpectUntouched(pid_t pid) {
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), 0);
  kill(pid, SIGKILL);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

TEST_F(ReattachFaultTest, AfterThePidWasUsedAgain) {
  const ReattachConfig config = Gone();
  const pid_t other = TakePid(config.pid);
  if (other < 0) GTEST_SKIP() << "needs to write ns_last_pid, as root does";
  ExpectFault(config, {Reason::kReattachNotFound, "is another by now", ""});
  ExpectUntouched(other);
}

TEST_F(ReattachFaultTest, AfterPidAndPortWereUsedAgain) {
  const ReattachConfig config = Gone({"--network=tcp"});
  const pid_t other = TakePid(config.pid);
  if (other < 0) GTEST_SKIP() << "needs to write ns_last_pid, as root does";
  ExpectFault(config, {Reason::kReattachNotFound, "is another by now",
                       "Nothing was sent"});
  ExpectUntouched(other);
}

// A client that is attached already: the number changes hands under it.
TEST_F(ReattachFaultTest, ThePidIsUsedAgainWhileAClientHoldsThePlugin) {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  std::unique_ptr<Client> first = MustLaunch(command);
  ASSERT_NE(first, nullptr);
  const ReattachConfig config = *first->Detach();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Reattach(config, PlainOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_EQ(kill(config.pid, SIGKILL), 0);
  ASSERT_TRUE((*client)->WaitForExit(absl::Seconds(20)).ok());
  const pid_t other = TakePid(config.pid);
  if (other < 0) GTEST_SKIP() << "needs to write ns_last_pid, as root does";
  (*client)->Kill().IgnoreError();
  client->reset();
  ExpectUntouched(other);
}

TEST_F(ReattachFaultTest, ToAServerThatIsNoPlugin) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("http");
  config.pid = getpid();
  const int listener = Listen(config.endpoint.address);
  std::thread server([listener] {
    for (int peer; (peer = accept(listener, nullptr, nullptr)) >= 0;) {
      constexpr char kAnswer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
      send(peer, kAnswer, sizeof kAnswer - 1, MSG_NOSIGNAL);
      shutdown(peer, SHUT_RDWR);
      close(peer);
    }
  });
  ExpectFault(config, {Reason::kConnect, "HTTP/1", "nobody serves"});
  shutdown(listener, SHUT_RDWR);
  server.join();
  close(listener);
}

TEST_F(ReattachFaultTest, ToAServerThatNeverAnswers) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("mute");
  const int listener = Listen(config.endpoint.address);
  ExpectFault(config, {Reason::kConnect, "tried for 1.", "does not answer"});
  close(listener);
}

TEST_F(ReattachFaultTest, WithAutoMtls) {
  ExpectFault(Gone(), {Reason::kOptions, "one-time certificate", "kManual"},
              KvOptions());
}

TEST_F(ReattachFaultTest, WithAVersionThisHostCantUse) {
  ReattachConfig config = Gone();
  config.protocol_version = 7;
  ExpectFault(config, {Reason::kAppVersion, "version 7", "add 7"});
}

TEST_F(ReattachFaultTest, WithoutAnAddress) {
  ReattachConfig config;
  config.protocol_version = 1;
  ExpectFault(config, {Reason::kTransport, "empty", "as the plugin"});
}

TEST_F(ReattachFaultTest, Cancelled) {
  ReattachConfig config;
  config.protocol_version = 1;
  config.endpoint.address = ScratchPath("mute");
  const int listener = Listen(config.endpoint.address);
  Mailbox<absl::Status> ready;
  ClientOptions options = PlainOptions();
  options.channel_arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  LaunchOperation operation = Client::ReattachAsync(
      config, options,
      [&ready](absl::StatusOr<std::unique_ptr<Client>> client) {
        ready.Put(client.status());
      });
  operation.Cancel();
  ExpectError(*ready.Take(), {Reason::kCancelled, "cancelled", "Cancel"});
  close(listener);
}

}  // namespace
}  // namespace goplugin::testing
