// What goes wrong with brokered connections: each fault ends in its reason,
// with evidence and a hint, in time, and leaves nothing.

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/internal/tls/certificate.h"
#include "tests/integration/fault.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"

namespace goplugin::testing {
namespace {

using ::testing::Values;

// An announcement that the host dials in vain. `$` stands for the test's
// scratch directory.
struct DialFault {
  std::string name;
  std::string announcement;  // network:address
  ExpectedError expected;
  absl::Duration timeout = absl::Seconds(30);
};

void PrintTo(const DialFault& fault, std::ostream* out) { *out << fault.name; }

class DialFaultTest : public HarnessTest,
                      public ::testing::WithParamInterface<DialFault> {};

TEST_P(DialFaultTest, EndsInItsReason) {
  const DialFault& fault = GetParam();
  std::ofstream(ScratchPath("file")) << "no socket";
  std::string announcement = absl::StrCat("1:", fault.announcement);
  if (const size_t mark = announcement.find('$'); mark != std::string::npos) {
    announcement.replace(mark, 1, ScratchPath(""));
  }
  auto client =
      MustLaunch(ServerPlugin({absl::StrCat("--broker=", announcement)}));
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  auto channel = client->broker().Dial(1, Within(fault.timeout));
  EXPECT_LT(absl::Now() - start, fault.timeout + kGrace);
  ExpectError(channel.status(), fault.expected);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(
    Announced, DialFaultTest,
    Values(DialFault{"NetworkUnknown",
                     "pigeon:coop",
                     {Reason::kTransport, "network \"pigeon\"",
                      "unix socket or a tcp port"}},
           DialFault{"NetworkEmpty",
                     ":/x",
                     {Reason::kTransport, "network \"\"", "unix socket"}},
           DialFault{"AddressEmpty",
                     "unix:",
                     {Reason::kTransport, "its address is empty", "path"}},
           DialFault{"AddressWithoutPort",
                     "tcp:localhost",
                     {Reason::kTransport, "has no port", "host:port"}},
           DialFault{"PathTooLong",
                     absl::StrCat("unix:/", std::string(108, 'p')),
                     {Reason::kTransport, "109 bytes", "107"}},
           DialFault{"AddressHuge",
                     absl::StrCat("unix:/", std::string(100000, 'p')),
                     {Reason::kTransport, "100001 bytes", "107"}},
           DialFault{"SocketMissing",
                     "unix:$missing",
                     {Reason::kConnect, "/missing", "must serve from before"}},
           DialFault{"NoSocket",
                     "unix:$file",
                     {Reason::kConnect, "/file", "must serve from before"}},
           DialFault{
               "PortDead",
               "tcp:127.0.0.1:1",
               {Reason::kConnect, "127.0.0.1:1", "must serve from before"}},
           DialFault{"Silent",
                     "none",  // no announcement at all
                     {Reason::kBrokerTimeout,
                      "announced no brokered "
                      "connection 1",
                      "AcceptAndServe"},
                     absl::Milliseconds(100)}),
    [](const ::testing::TestParamInfo<DialFault>& info) {
      return info.param.name;
    });

class BrokerFaultTest : public HarnessTest {
 protected:
  // A server of somebody else's.
  std::unique_ptr<grpc::Server> Serve(
      const std::string& address,
      std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, std::move(credentials));
    builder.RegisterService(&adder_);
    return builder.BuildAndStart();
  }
  // On a socket in the scratch directory.
  std::unique_ptr<grpc::Server> ServeHere(
      const std::string& name,
      std::shared_ptr<grpc::ServerCredentials> credentials) {
    return Serve(absl::StrCat("unix:", ScratchPath(name)),
                 std::move(credentials));
  }

  AdderService adder_;
};

std::shared_ptr<grpc::ServerCredentials> TlsOf(const internal::KeyPair& pair) {
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back(
      {pair.private_key_pem, pair.certificate_pem});
  return grpc::SslServerCredentials(options);
}

TEST_F(BrokerFaultTest, NobodyServesTheId) {
  auto client = LaunchBrokerPlugin();
  const std::uint32_t other = PluginAccepts(*client, 1).ids(0);
  auto channel =
      client->broker().Dial(other + 1, Within(absl::Milliseconds(500)));
  ExpectError(channel.status(),
              {Reason::kBrokerTimeout,
               absl::StrCat("announced and not dialled: ", other),
               "must accept on the id"});
  // The plugin, of the host, the same.
  const broker::Outcome dialled = PluginDials(*client, {9}, 1, 1, 100);
  EXPECT_EQ(dialled.reason(), "broker_timeout");
  EXPECT_TRUE(absl::StrContains(dialled.message(), "the host announced no"))
      << dialled.message();
}

TEST_F(BrokerFaultTest, NobodyDialsWhatIsServed) {
  auto client = LaunchBrokerPlugin();
  std::vector<std::unique_ptr<BrokerServer>> servers;
  for (int i = 0; i < 20; ++i) {
    auto server =
        client->broker().AcceptAndServe(client->broker().NextId(), {&adder_});
    ASSERT_TRUE(server.ok()) << server.status().message();
    servers.push_back(*std::move(server));
  }
  const absl::Time start = absl::Now();
  servers.clear();
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_EQ(PluginAccepts(*client, 20).message(), "");
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BrokerFaultTest, NoBroker) {
  auto client = MustLaunch(ServerPlugin({}));
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(),
              {Reason::kBrokerUnsupported,
               "its stream ended: gRPC said UNIMPLEMENTED", "on both sides"});
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ExpectError(server.status(), {Reason::kBrokerUnsupported,
                                "the plugin has no broker", "on both sides"});
  // Everything else works.
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(BrokerFaultTest, ServedWithoutTls) {
  auto foreign = ServeHere("plain", grpc::InsecureServerCredentials());
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:unix:", ScratchPath("plain"))}),
      KvOptions());
  ASSERT_TRUE(client->uses_tls());
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(),
              {Reason::kTls, "HTTP/2 without TLS", "serves this id without "});
}

TEST_F(BrokerFaultTest, ServedWithTlsUnasked) {
  const auto pair = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(pair.ok());
  auto foreign = ServeHere("tls", TlsOf(*pair));
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:unix:", ScratchPath("tls"))}));
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(),
              {Reason::kTls, "answered with TLS", "DialOptions::credentials"});
}

TEST_F(BrokerFaultTest, ServedWithAnotherCertificate) {
  const auto pair = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(pair.ok());
  auto foreign = ServeHere("tls", TlsOf(*pair));
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:unix:", ScratchPath("tls"))}),
      KvOptions());
  auto channel = client->broker().Dial(1, Within(absl::Seconds(30)));
  ExpectError(channel.status(), {Reason::kTls, "answered with TLS",
                                 "certificates of the main connection"});
}

TEST_F(BrokerFaultTest, OneCutTlsConnectionIsNoRefusal) {
  const auto pair = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(pair.ok());
  int port = 0;
  const int listener = ListenOnLoopback(&port);
  const std::string address = absl::StrCat("127.0.0.1:", port);
  std::unique_ptr<grpc::Server> server;
  std::thread cutter([&] {
    const int first = accept(listener, nullptr, nullptr);
    server = Serve(address, TlsOf(*pair));
    close(listener);
    close(first);
  });
  auto client =
      MustLaunch(ServerPlugin({absl::StrCat("--broker=1:tcp:", address)}));
  DialOptions options = Within(absl::Seconds(30));
  options.credentials = grpc::SslCredentials({pair->certificate_pem, "", ""});
  auto channel = client->broker().Dial(1, options);
  cutter.join();
  ASSERT_TRUE(channel.ok()) << channel.status().message();
  EXPECT_EQ(Sum(*channel, 2, 3).value_or(0), 5);
}

// A variable in the environment that the plugin was started with.
std::string PluginEnvironment(const Client& client, const std::string& name) {
  std::ifstream file(absl::StrCat("/proc/", client.pid(), "/environ"));
  for (std::string entry; std::getline(file, entry, '\0');) {
    if (absl::StartsWith(entry, name + "="))
      return entry.substr(name.size() + 1);
  }
  return "";
}

// The socket of a brokered connection is no way in for others.
TEST_F(BrokerFaultTest, StrangersAreRefused) {
  auto client =
      LaunchBrokerPlugin({Endpoint::Network::kTcp, TlsMode::kAutoMtls});
  auto server = client->broker().AcceptAndServe(1, {&adder_});
  ASSERT_TRUE(server.ok());
  const std::string target = (*server)->endpoint().address;
  EXPECT_FALSE(
      Sum(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()), 1, 1)
          .ok());
  // Nor does it help to know the server's certificate, with none of one's own
  // or another.
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = PluginEnvironment(*client, "PLUGIN_CLIENT_CERT");
  ASSERT_TRUE(absl::StrContains(options.pem_root_certs, "BEGIN CERTIFICATE"));
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  EXPECT_FALSE(Sum(grpc::CreateCustomChannel(
                       target, grpc::SslCredentials(options), arguments),
                   1, 1)
                   .ok());
  const auto stranger = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(stranger.ok());
  options.pem_cert_chain = stranger->certificate_pem;
  options.pem_private_key = stranger->private_key_pem;
  EXPECT_FALSE(Sum(grpc::CreateCustomChannel(
                       target, grpc::SslCredentials(options), arguments),
                   1, 1)
                   .ok());
  EXPECT_EQ(PluginDials(*client, {1}, 1, 1).sums_size(), 1);
}

TEST_F(BrokerFaultTest, TakesConnectionsAndNeverAnswers) {
  int port = 0;
  const int listener = ListenOnLoopback(&port);
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:tcp:127.0.0.1:", port)}));
  const absl::Time start = absl::Now();
  auto channel = client->broker().Dial(1, Within(absl::Milliseconds(300)));
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(300) + kGrace);
  ExpectError(channel.status(),
              {Reason::kConnect, "does not answer", "stopped, stuck"});
  close(listener);
}

// A listener that takes one connection, whoever comes, and serves on that: as a
// Go plugin may with Broker.Accept. It must be the dial's.
class OneConnectionTest : public BrokerFaultTest {
 protected:
  void DialItAt(const std::string& address, int listener) {
    ASSERT_GE(listener, 0);
    const auto heard = ServeHere("2", grpc::InsecureServerCredentials());
    auto client = MustLaunch(ServerPlugin(
        {absl::StrCat("--broker=1:", address, ",2:unix:", ScratchPath("2"))}));
    ASSERT_NE(client, nullptr);
    // What was announced before that one has come as well.
    ASSERT_TRUE(client->broker().Dial(2).ok());
    pollfd comers = {listener, POLLIN, 0};
    EXPECT_EQ(poll(&comers, 1, 0), 0) << "somebody came before the dial";

    grpc::ServerBuilder builder;
    builder.RegisterService(&adder_);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    std::thread taker([&] {
      const int first =
          accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      close(listener);
      grpc::AddInsecureChannelFromFd(server.get(), first);
    });
    // With arguments no channel will do that was made without.
    DialOptions options = Within(absl::Seconds(30));
    options.arguments.SetInt("goplugin.test", 1);
    auto channel = client->broker().Dial(1, options);
    taker.join();
    ASSERT_TRUE(channel.ok()) << channel.status().message();
    EXPECT_EQ(Sum(*channel, 2, 3).value_or(0), 5);
  }
};

TEST_F(OneConnectionTest, OverAUnixSocket) {
  const std::string path = ScratchPath("1");
  DialItAt(absl::StrCat("unix:", path), ListenAtPath(path));
}

TEST_F(OneConnectionTest, OverTcp) {
  int port = 0;
  const int listener = ListenOnLoopback(&port);
  DialItAt(absl::StrCat("tcp:127.0.0.1:", port), listener);
}

TEST_F(BrokerFaultTest, AFloodOfAnnouncementsIsBoundedAndTold) {
  auto sink = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = sink;
  auto client = MustLaunch(
      ServerPlugin({"--broker-flood=20000", "--broker=20001:pigeon:coop"}),
      std::move(options));
  // It comes last, and the wait for it outlives the flood.
  auto last = client->broker().Dial(20001, Within(absl::Seconds(30)));
  ExpectError(last.status(), {Reason::kTransport, "pigeon", "unix"});
  // The newest are kept, the oldest are not.
  auto kept = client->broker().Dial(20000, Within(absl::Seconds(30)));
  ExpectError(kept.status(), {Reason::kConnect, "/nonexistent", "must serve"});
  auto dropped = client->broker().Dial(1, Within(absl::Milliseconds(100)));
  ExpectError(dropped.status(), {Reason::kBrokerTimeout, "announced no", ""});
  EXPECT_TRUE(sink->WaitForMessage("more brokered connections than anybody"));
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  int told = 0;
  for (const LogEntry& entry : sink->entries()) {
    told += absl::StrContains(entry.message, "more brokered connections");
  }
  EXPECT_LE(told, 16);
}

// Dials in vain on another thread, and hands the error out.
class PendingDial {
 public:
  explicit PendingDial(Client& client)
      : thread_([this, &client] {
          started_.Notify();
          status_ = client.broker().Dial(1, Within(absl::Minutes(5))).status();
        }) {
    started_.WaitForNotification();
  }
  absl::Status Join() {
    thread_.join();
    return status_;
  }

 private:
  absl::Notification started_;
  absl::Status status_;
  std::thread thread_;
};

TEST_F(BrokerFaultTest, ThePluginDiesUnderADial) {
  auto client = MustLaunch(ServerPlugin({"--broker"}));
  const absl::Time start = absl::Now();
  PendingDial dial(*client);
  Get(*client, "!signal:9");
  ExpectError(dial.Join(), {Reason::kCrashed, "signal 9", ""});
  EXPECT_LT(absl::Now() - start, kGrace);
  auto later = client->broker().Dial(2);
  ExpectError(later.status(), {Reason::kCrashed, "signal 9", ""});
  auto server = client->broker().AcceptAndServe(2, {&adder_});
  ExpectError(server.status(), {Reason::kCrashed, "signal 9", ""});
}

TEST_F(BrokerFaultTest, ShutdownUnderADial) {
  auto client = MustLaunch(ServerPlugin({"--broker"}));
  const absl::Time start = absl::Now();
  PendingDial dial(*client);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(dial.Join(), {Reason::kShutDown, "shut down", "no calls after"});
  EXPECT_LT(absl::Now() - start, kGrace);
  auto server = client->broker().AcceptAndServe(2, {&adder_});
  ExpectError(server.status(), {Reason::kShutDown, "shut down", ""});
}

// Somebody takes the connection and says nothing.
TEST_F(BrokerFaultTest, ShutdownUnderADialThatConnects) {
  int port = 0;
  const int listener = ListenOnLoopback(&port);
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:tcp:127.0.0.1:", port)}));
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  absl::Status dialled;
  std::thread dial([&] {
    dialled =
        client->broker().Dial(1, Within(absl::InfiniteDuration())).status();
  });
  const int connection = accept(listener, nullptr, nullptr);
  EXPECT_GE(connection, 0);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  dial.join();
  ExpectError(dialled, {Reason::kShutDown, "shut down", "no calls after"});
  EXPECT_LT(absl::Now() - start, kGrace);
  close(connection);
  close(listener);
}

// The plugin's own dials end too, or its Shutdown would take as long as they.
TEST_F(BrokerFaultTest, ShutdownUnderADialOfThePlugin) {
  auto client = LaunchBrokerPlugin();
  std::thread caller([&] {
    grpc::ClientContext context;
    broker::DialRequest request;
    request.add_ids(9);
    request.set_timeout_ms(300000);
    broker::Outcome outcome;
    client->NewStub<broker::Control>()->Dial(&context, request, &outcome);
  });
  const absl::Time start = absl::Now();
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  EXPECT_LT(absl::Now() - start, kGrace);
  caller.join();
}

TEST_F(BrokerFaultTest, ThePluginDiesUnderBrokeredCalls) {
  auto client = LaunchBrokerPlugin();
  constexpr int kCalls = 8;
  const broker::Outcome accepted = PluginAccepts(*client, kCalls);
  auto server = client->broker().AcceptAndServe(99, {&adder_});
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(PluginDials(*client, {99}, 1, 1).sums_size(), 1);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    auto channel = client->broker().Dial(accepted.ids(i));
    ASSERT_TRUE(channel.ok()) << channel.status().message();
    ASSERT_TRUE(Sum(*channel, 1, 1).ok());
    callers.emplace_back([channel = *channel, &client] {
      grpc::ClientContext context;
      broker::SumResponse response;
      const grpc::Status status = broker::Adder::NewStub(channel)->Hold(
          &context, broker::SumRequest(), &response);
      EXPECT_FALSE(status.ok());
      ExpectError(client->Explain(status), {Reason::kCrashed, "signal 9", ""});
    });
  }
  ASSERT_EQ(kill(client->pid(), SIGKILL), 0);
  for (std::thread& caller : callers) caller.join();
}

TEST_F(BrokerFaultTest, InACallback) {
  auto client = MustLaunch(ServerPlugin({"--broker"}));
  Mailbox<absl::Status> dialled;
  Mailbox<absl::Status> accepted;
  Mailbox<absl::Status> listened;
  client->OnExit([&](ExitStatus, absl::Status) {
    dialled.Put(client->broker().Dial(1).status());
    accepted.Put(client->broker().AcceptAndServe(1, {&adder_}).status());
    listened.Put(client->broker().Listen().status());
  });
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  for (Mailbox<absl::Status>* box : {&dialled, &accepted, &listened}) {
    ExpectError(
        box->Take().value_or(absl::OkStatus()),
        {Reason::kWrongThread, "blocking method", "thread of your own"});
  }
}

TEST_F(BrokerFaultTest, InAForkedChild) {
  auto client = MustLaunch(ServerPlugin({"--broker"}));
  const pid_t child = fork();
  if (child == 0) {
    const auto details = GetErrorDetails(client->broker().Dial(1).status());
    _exit(details && details->reason == Reason::kForked ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(BrokerFaultTest, NothingToServeWith) {
  auto client = LaunchBrokerPlugin();
  ExpectError(client->broker().AcceptAndServe(1, {nullptr}).status(),
              {Reason::kOptions, "is null", "outlive the server"});
}

TEST_F(BrokerFaultTest, ManualTlsWithoutACertificateToServeWith) {
  const auto plugins = internal::GenerateOneTimeCertificate();
  ASSERT_TRUE(plugins.ok());
  Command command{RunfilePath("tests/support/broker/broker_plugin")};
  command.env = {{"BROKER_CERT", plugins->certificate_pem},
                 {"BROKER_KEY", plugins->private_key_pem}};
  ClientOptions options = KvOptions();
  options.tls.mode = TlsMode::kManual;
  options.tls.root_certificates = plugins->certificate_pem;
  auto client = MustLaunch(std::move(command), std::move(options));
  ASSERT_NE(client, nullptr);
  ExpectError(client->broker().AcceptAndServe(1, {&adder_}).status(),
              {Reason::kOptions, "no certificate to accept",
               "AcceptOptions::credentials"});
  AcceptOptions own;
  own.credentials = grpc::InsecureServerCredentials();
  EXPECT_TRUE(client->broker().AcceptAndServe(1, {&adder_}, own).ok());
}

}  // namespace
}  // namespace goplugin::testing
