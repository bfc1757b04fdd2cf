// A plugin in test mode, in this process, and clients that reattach to it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/client.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/reattach.h"
#include "goplugin/server.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

class EchoService final : public proto::KV::Service {
 public:
  grpc::Status Get(grpc::ServerContext*, const proto::GetRequest* request,
                   proto::GetResponse* response) override {
    response->set_value(request->key());
    return grpc::Status::OK;
  }
};

class ServeTestModeTest : public HarnessTest {
 protected:
  ServeOptions Options(Endpoint::Network network) {
    ServeOptions options;
    options.magic_cookie_key = "NOT_SET";
    options.magic_cookie_value = "anything";
    options.services = {{3, {&echo_}}, {7, {&echo_}}};
    options.networks = {network};
    options.test_mode = [this](const TestServer& server) {
      server_.Put(server);
    };
    return options;
  }

  // Serves on a thread of its own until End.
  TestServer Begin(Endpoint::Network network) {
    return Begin(Options(network));
  }
  TestServer Begin(ServeOptions options) {
    thread_ = std::thread(
        [this, options = std::move(options)] { result_ = Serve(options); });
    return *server_.Take();
  }

  int End(const TestServer& server) {
    server.stop();
    thread_.join();
    // Too late is no harm.
    server.stop();
    return result_;
  }

  EchoService echo_;
  Mailbox<TestServer> server_;
  std::thread thread_;
  int result_ = -1;
};

ClientOptions Versions() {
  ClientOptions options = PlainOptions();
  options.handshake.protocol_versions = {3, 7};
  return options;
}

TEST_F(ServeTestModeTest, ClientsComeAndGo) {
  const TestServer server = Begin(Endpoint::Network::kUnix);
  EXPECT_EQ(server.reattach_config.pid, getpid());
  EXPECT_EQ(server.reattach_config.protocol_version, 3u);
  EXPECT_TRUE(server.reattach_config.test);
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(server.reattach_config, Versions());
    EXPECT_TRUE(client.ok()) << client.status();
    if (!client.ok()) break;
    EXPECT_EQ(Get(**client, "echo"), "echo");
    EXPECT_EQ((*client)->Ping(), absl::OkStatus());
    EXPECT_EQ((*client)->pid(), getpid());
    EXPECT_EQ((*client)->Shutdown(), absl::OkStatus());
  }
  EXPECT_EQ(End(server), 0);
}

// Hosts that reattach do not multiplex, whatever one that has started this
// program's parents has asked for.
TEST_F(ServeTestModeTest, AnotherHostsMultiplexingIsNotItsOwn) {
  setenv("PLUGIN_MULTIPLEX_GRPC", "true", 1);
  const TestServer server = Begin(Endpoint::Network::kUnix);
  unsetenv("PLUGIN_MULTIPLEX_GRPC");
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Reattach(server.reattach_config, Versions());
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ(Get(**client, "echo"), "echo");
  }
  EXPECT_EQ(End(server), 0);
}

TEST_F(ServeTestModeTest, OverTcpByTheText) {
  const TestServer server = Begin(Endpoint::Network::kTcp);
  const absl::StatusOr<std::string> text =
      FormatReattachProviders({{"kv", server.reattach_config}});
  EXPECT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<ReattachProviders> providers =
      ParseReattachProviders(text.value_or(""));
  EXPECT_TRUE(providers.ok()) << providers.status();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Reattach(providers->at("kv"), Versions());
  EXPECT_TRUE(client.ok()) << client.status();
  if (client.ok()) {
    EXPECT_EQ(Get(**client, "echo"), "echo");
  }
  client = absl::CancelledError();
  EXPECT_EQ(End(server), 0);
}

// Somebody who knows the address before he is told.
class EarlyHost {
 public:
  // With the first words of HTTP/2.
  void Connect(const Endpoint& endpoint) {
    auto connection =
        internal::OpenConnection(endpoint, SteadyAfter(kPatience));
    ASSERT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
    constexpr char kHello[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    ASSERT_EQ(send(connection_.get(), kHello, sizeof kHello - 1, MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof kHello - 1));
  }

  bool IsAnsweredWithin(absl::Duration wait) const {
    return internal::WaitForEvents(connection_.get(), POLLIN,
                                   SteadyAfter(wait));
  }

 private:
  static internal::SteadyTime SteadyAfter(absl::Duration wait) {
    return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(wait);
  }

  internal::UniqueFd connection_;
};

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(probe, generic, size), 0);
  EXPECT_EQ(getsockname(probe, generic, &size), 0);
  close(probe);
  return ntohs(address.sin_port);
}

class EarlyHostTest : public ServeTestModeTest {
 protected:
  // `find` tells the address when Serve listens.
  void ExpectToWait(ServeOptions options, std::function<Endpoint()> find) {
    EarlyHost host;
    bool early = false;
    options.on_broker = [&](Broker&) {
      host.Connect(find());
      early = host.IsAnsweredWithin(absl::Milliseconds(300));
    };
    const TestServer server = Begin(std::move(options));
    EXPECT_FALSE(early);
    EXPECT_TRUE(host.IsAnsweredWithin(kPatience));
    EXPECT_EQ(End(server), 0);
  }
};

TEST_F(EarlyHostTest, IsNotServedBeforeOnBrokerHasReturned) {
  ServeOptions options = Options(Endpoint::Network::kTcp);
  options.min_port = options.max_port = FreePort();
  const Endpoint endpoint = {Endpoint::Network::kTcp,
                             absl::StrCat("127.0.0.1:", options.min_port)};
  ExpectToWait(std::move(options), [endpoint] { return endpoint; });
}

TEST_F(EarlyHostTest, IsNotServedBeforeOnBrokerHasReturnedOverUnix) {
  const std::string lent = ScratchPath("lent");
  ASSERT_EQ(mkdir(lent.c_str(), 0700), 0);
  setenv("PLUGIN_UNIX_SOCKET_DIR", lent.c_str(), 1);
  ExpectToWait(Options(Endpoint::Network::kUnix), [lent] {
    Endpoint found;
    for (const auto& file : std::filesystem::directory_iterator(lent)) {
      if (file.is_socket()) {
        found = {Endpoint::Network::kUnix, file.path().string()};
      }
    }
    return found;
  });
  unsetenv("PLUGIN_UNIX_SOCKET_DIR");
}

// Whoever calls stop at that moment must not be the one who puts the signals
// back: a mask is a thread's own.
TEST_F(ServeTestModeTest, StopBesideTheEndLeavesTheSignalsToServe) {
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigset_t before;
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &terminate, &before), 0);
  int wrong = 0;
  for (int i = 0; i < 30; ++i) {
    std::atomic<bool> over{false};
    std::thread stopper;
    ServeOptions options = Options(Endpoint::Network::kUnix);
    options.test_mode = [&](const TestServer& server) {
      stopper = std::thread([&over, stop = server.stop] {
        while (!over) stop();
      });
    };
    EXPECT_EQ(Serve(options), 0);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    struct sigaction action = {};
    sigaction(SIGTERM, nullptr, &action);
    if (sigismember(&mask, SIGTERM) != 1 || action.sa_handler != SIG_DFL) {
      ++wrong;
    }
    pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
    over = true;
    stopper.join();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace goplugin::testing
