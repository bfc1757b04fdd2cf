// Plugins that somebody else runs.

#include <grpc/grpc.h>
#include <grpcpp/security/credentials.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

// c-ares, which gRPC resolves names with, forgets 10 bytes at each name that
// does not exist. Asked by LeakSanitizer; nobody else calls it.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcares.so";
}

namespace goplugin::testing {
namespace {

// The other one's plugin, and a client of ours.
class AttachTest : public HarnessTest {
 protected:
  void Start(std::vector<std::string> flags = {}) {
    owner_ = MustLaunch(ServerPlugin(std::move(flags)));
    ASSERT_NE(owner_, nullptr);
  }

  std::string Target() const {
    const Endpoint& endpoint = owner_->endpoint();
    return endpoint.network == Endpoint::Network::kUnix
               ? absl::StrCat("unix:", endpoint.address)
               : absl::StrCat("ipv4:", endpoint.address);
  }

  std::unique_ptr<Client> MustAttach(const std::string& target,
                                     ClientOptions options = PlainOptions()) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Attach(target, std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }

  void TearDown() override {
    owner_.reset();
    HarnessTest::TearDown();
  }

  std::unique_ptr<Client> owner_;
};

TEST_F(AttachTest, WorksAndLeavesItRunning) {
  Start();
  std::unique_ptr<Client> client = MustAttach(Target());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Get(*client, "!pid"), std::to_string(owner_->pid()));
  EXPECT_EQ(client->Ping(), absl::OkStatus());
  EXPECT_EQ(client->protocol_version(), 1u);
  EXPECT_EQ(client->endpoint(), owner_->endpoint());
  EXPECT_FALSE(client->uses_tls());
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(client->Explain(grpc::Status(grpc::UNAVAILABLE, "")),
              {Reason::kShutDown, "was shut down", "make no calls"});
  client.reset();
  EXPECT_TRUE(Answers(*owner_));
}

TEST_F(AttachTest, WhatNeedsTheProcessSaysSo) {
  Start();
  std::unique_ptr<Client> client = MustAttach(Target());
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> exit;
  client->OnExit([&exit](ExitStatus status, absl::Status why) {
    EXPECT_EQ(status, ExitStatus());
    exit.Put(std::move(why));
  });
  EXPECT_EQ(client->pid(), -1);
  EXPECT_FALSE(client->exited());
  EXPECT_FALSE(client->exit_status().has_value());
  const ExpectedError no_control = {Reason::kNoProcessControl, "signalled",
                                    "somebody else runs it"};
  ExpectError(client->Kill(), no_control);
  ExpectError(client->WaitForExit(absl::Seconds(1)).status(), no_control);
  const ExpectedError no_config = {Reason::kNoProcessControl,
                                   "no reattach config", "Client::Attach"};
  ExpectError(client->reattach_config().status(), no_config);
  ExpectError(client->Detach().status(), no_config);
  EXPECT_EQ(Get(*client, "!pid"), std::to_string(owner_->pid()));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  ExpectError(*exit.Take(), {Reason::kNoProcessControl, "let go", "attach"});
}

TEST_F(AttachTest, OverTcpByAddressAndByName) {
  Start({"--network=tcp"});
  const std::string& address = owner_->endpoint().address;
  const std::string port = address.substr(address.rfind(':') + 1);
  for (const std::string& target : {absl::StrCat("ipv4:", address), address,
                                    absl::StrCat("dns:///localhost:", port)}) {
    std::unique_ptr<Client> client = MustAttach(target);
    ASSERT_NE(client, nullptr) << target;
    EXPECT_EQ(Get(*client, "!pid"), std::to_string(owner_->pid())) << target;
  }
}

TEST_F(AttachTest, WithCredentialsOfTheCallers) {
  Start();
  absl::StatusOr<std::unique_ptr<Client>> client =
      Client::Attach(Target(), grpc::InsecureChannelCredentials(), KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Get(**client, "!pid"), std::to_string(owner_->pid()));
}

TEST_F(AttachTest, Async) {
  Start();
  Mailbox<absl::StatusOr<std::unique_ptr<Client>>> ready;
  Client::AttachAsync(Target(), nullptr, PlainOptions(),
                      [&ready](absl::StatusOr<std::unique_ptr<Client>> client) {
                        ready.Put(std::move(client));
                      });
  absl::optional<absl::StatusOr<std::unique_ptr<Client>>> client = ready.Take();
  ASSERT_TRUE(client.has_value() && client->ok());
  EXPECT_EQ(Get(***client, "!pid"), std::to_string(owner_->pid()));
}

// What watches for hangs begins a moment after the client is ready: a Ping from
// before must not count as an answer to its own check.
TEST_F(AttachTest, AHangAtOnceIsExplained) {
  Start();
  std::unique_ptr<Client> client = MustAttach(Target());
  ASSERT_NE(client, nullptr);
  ASSERT_NO_FATAL_FAILURE(Stop(*owner_));
  EXPECT_FALSE(client->Ping(absl::Milliseconds(50)).ok());
  EXPECT_TRUE(Eventually([&client] {
    const absl::Status why =
        client->Explain(grpc::Status(grpc::DEADLINE_EXCEEDED, ""));
    return absl::StrContains(why.message(), "no health check either");
  }));
  ASSERT_EQ(kill(owner_->pid(), SIGCONT), 0);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(AttachTest, AskedToItEndsThePlugin) {
  Start();
  ClientOptions options = PlainOptions();
  options.shutdown.ask_attached = true;
  std::unique_ptr<Client> client = MustAttach(Target(), options);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  const absl::StatusOr<ExitStatus> exit =
      owner_->WaitForExit(absl::Seconds(20));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->success()) << exit->ToString();
}

TEST_F(AttachTest, AskedToAPluginThatCantBeAsked) {
  Start({"--no-controller"});
  ClientOptions options = PlainOptions();
  options.shutdown.ask_attached = true;
  std::unique_ptr<Client> client = MustAttach(Target(), options);
  ASSERT_NE(client, nullptr);
  ExpectError(client->Shutdown(),
              {Reason::kNoProcessControl, "UNIMPLEMENTED", "whoever runs"});
  EXPECT_TRUE(Answers(*owner_));
}

TEST_F(AttachTest, ItsEndIsAFailedCall) {
  Start();
  std::unique_ptr<Client> client = MustAttach(Target());
  ASSERT_NE(client, nullptr);
  ASSERT_EQ(owner_->Kill(), absl::OkStatus());
  EXPECT_EQ(Get(*client, "a").substr(0, 6), "error:");
  const absl::Status why =
      client->Explain(grpc::Status(grpc::UNAVAILABLE, "Socket closed"));
  EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(why.message().find("can't be seen"), std::string::npos) << why;
}

class AttachFaultTest : public AttachTest {
 protected:
  void ExpectFault(const std::string& target, const ExpectedError& expected,
                   ClientOptions options = PlainOptions()) {
    options.start_timeout = absl::Milliseconds(1500);
    // gRPC keeps a connection that is not answered for 20 s otherwise, also
    // after its channel is gone.
    options.channel_arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    const absl::Time start = absl::Now();
    const absl::Status status = Client::Attach(target, options).status();
    EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
    ExpectError(status, expected);
  }
};

TEST_F(AttachFaultTest, NobodyThere) {
  ExpectFault(absl::StrCat("unix:", ScratchPath("missing")),
              {Reason::kConnect, "No such file", "start the plugin first"});
}

TEST_F(AttachFaultTest, NoSuchName) {
  ExpectFault("dns:///no-such-host.invalid:1",
              {Reason::kConnect, "no-such-host.invalid", "spelling"});
}

TEST_F(AttachFaultTest, NeverAnswers) {
  int port = 0;
  const int listener = ListenOnLoopback(&port);
  // By address, and by the one name that needs no name service.
  for (const std::string& target : {absl::StrCat("ipv4:127.0.0.1:", port),
                                    absl::StrCat("dns:///localhost:", port)}) {
    ExpectFault(target, {Reason::kConnect, "tried for 1.", "does not answer"});
  }
  close(listener);
}

TEST_F(AttachFaultTest, ATargetThatGrpcCantUse) {
  ExpectFault("ipv4:nonsense",
              {Reason::kOptions, "ipv4:nonsense", "dns:///host:443"});
}

TEST_F(AttachFaultTest, NoTarget) {
  ExpectFault("", {Reason::kOptions, "no target", "unix:"});
}

TEST_F(AttachFaultTest, WithAutoMtls) {
  ExpectFault("unix:/x", {Reason::kOptions, "one-time certificate", "kManual"},
              KvOptions());
}

TEST_F(AttachFaultTest, WithoutOneVersion) {
  ClientOptions options = PlainOptions();
  options.handshake.protocol_versions = {1, 2};
  ExpectFault("unix:/x", {Reason::kOptions, "{1, 2}", "its one version"},
              options);
}

}  // namespace
}  // namespace goplugin::testing
