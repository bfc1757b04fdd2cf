// A plugin of this SDK under a host of this SDK: what ServeOptions promise.

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "gmock/gmock.h"
#include "goplugin/client.h"
#include "goplugin/command.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::testing {
namespace {

using goplugin::internal::CertificateSpec;
using goplugin::internal::KeyPair;
using goplugin::internal::MakeCertificate;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kMiB = std::size_t{1} << 20;

ClientOptions ProbeOptions() {
  ClientOptions options = KvOptions();
  options.handshake.magic_cookie_key = "PROBE_COOKIE";
  options.handshake.magic_cookie_value = "probe";
  options.handshake.protocol_versions = {2, 5};
  return options;
}

Command Probe(std::string variable = "NONE", std::string value = "") {
  Command command{RunfilePath("tests/support/serve/probe_plugin")};
  command.env = {{std::move(variable), std::move(value)}};
  return command;
}

class ServeTest : public HarnessTest {
 protected:
  void TearDown() override {
    client_.reset();
    HarnessTest::TearDown();
  }

  void Launch(Command command, ClientOptions options = ProbeOptions()) {
    absl::StatusOr<std::unique_ptr<Client>> client =
        Client::Launch(std::move(command), std::move(options));
    ASSERT_THAT(client, IsOk());
    client_ = *std::move(client);
  }

  void ExpectBothWays(std::size_t bytes) {
    EXPECT_EQ(
        Put(*client_, absl::StrCat("length:", bytes), std::string(bytes, 'x')),
        "");
    EXPECT_EQ(Get(*client_, absl::StrCat("zeros:", bytes)).size(), bytes);
  }

  std::unique_ptr<Client> client_;
};

TEST_F(ServeTest, MessagesMayBeLong) {
  ASSERT_NO_FATAL_FAILURE(Launch(Probe()));
  ExpectBothWays(5 * kMiB);
  ExpectBothWays(65 * kMiB);
}

TEST_F(ServeTest, WhatTheCallerSetsInTheBuilderWins) {
  ASSERT_NO_FATAL_FAILURE(Launch(Probe("PROBE_RECEIVE", "1000")));
  EXPECT_EQ(Put(*client_, "length:100", std::string(100, 'x')), "");
  EXPECT_THAT(Put(*client_, "length:2000", std::string(2000, 'x')),
              HasSubstr("larger than max"));
}

// gRPC and the multiplexer's loop would end the process without a word.
// Threads that have used OpenSSL must have ended before its own end: what they
// have there is else lost, as a leak sanitizer tells by the exit code. Some 4
// of 100 did.
TEST_F(ServeTest, ItsThreadsEndBeforeItsProcess) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_NO_FATAL_FAILURE(Launch(Probe()));
    EXPECT_EQ(Put(*client_, "length:100", std::string(100, 'x')), "");
    EXPECT_THAT(client_->Shutdown(), IsOk());
    ASSERT_TRUE(client_->exit_status()->success())
        << client_->exit_status()->ToString() << " in round " << i;
  }
}

TEST_F(ServeTest, NoDescriptorsLeft) {
  for (const Multiplex multiplex : {Multiplex::kNever, Multiplex::kRequire}) {
    for (const std::uint64_t allowed : {8, 16, 24}) {
      Command command = Probe();
      command.resource_limits = {{RLIMIT_NOFILE, allowed, allowed}};
      ClientOptions options = ProbeOptions();
      options.multiplex = multiplex;
      EXPECT_THAT(Client::Launch(std::move(command), std::move(options)),
                  AllOf(StatusIs(Reason::kExitedEarly),
                        HasStderr("the plugin has no descriptors left")))
          << allowed;
    }
  }
}

// A certificate of a private authority for each side.
class OwnTlsTest : public ServeTest {
 protected:
  void SetUp() override {
    ServeTest::SetUp();
    directory_ = ScratchPath("tls");
    ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
    Write("cert.pem", plugin_.certificate_pem);
    Write("key.pem", plugin_.private_key_pem);
    Write("roots.pem", authority_.certificate_pem);
    options_.tls.mode = TlsMode::kManual;
    options_.tls.root_certificates = authority_.certificate_pem;
    options_.tls.certificate_chain = host_.certificate_pem;
    options_.tls.private_key = host_.private_key_pem;
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(absl::StrCat(directory_, "/", name)) << text;
  }

  static KeyPair Issue(const KeyPair* issuer) {
    CertificateSpec spec;
    spec.issuer = issuer;
    if (issuer == nullptr) spec.common_name = "A private authority";
    if (issuer != nullptr) spec.basic_constraints = "critical,CA:FALSE";
    return MakeCertificate(spec);
  }

  const KeyPair authority_ = Issue(nullptr);
  const KeyPair plugin_ = Issue(&authority_);
  const KeyPair host_ = Issue(&authority_);
  std::string directory_;
  ClientOptions options_ = ProbeOptions();
};

TEST_F(OwnTlsTest, TheHostHasItsOwnToo) {
  ASSERT_NO_FATAL_FAILURE(Launch(Probe("PROBE_TLS", directory_), options_));
  EXPECT_TRUE(client_->uses_tls());
  EXPECT_EQ(Get(*client_, "version"), "5");
  EXPECT_THAT(client_->Shutdown(), IsOk());
}

TEST_F(OwnTlsTest, AHostWithoutACertificateIsRefused) {
  options_.tls.certificate_chain.clear();
  options_.tls.private_key.clear();
  EXPECT_THAT(Client::Launch(Probe("PROBE_TLS", directory_), options_),
              StatusIs(Reason::kTls));
}

TEST_F(OwnTlsTest, AHostThatWantsAutoMtlsIsToldWhatToDo) {
  EXPECT_THAT(Client::Launch(Probe("PROBE_TLS", directory_), ProbeOptions()),
              StatusIs(Reason::kServerCertificate));
}

// A client that pings as often as gRPC lets it, calls or not.
grpc::ChannelArguments EagerPings() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20);
  // A connection that breaks under a ping is kept by gRPC until the ping's time
  // is up.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

// How a call that is never answered ends beside those pings.
grpc::Status HoldBesidePings(std::shared_ptr<grpc::Channel> channel,
                             absl::Duration deadline) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  proto::PutRequest request;
  request.set_key("hold");
  proto::Empty response;
  return proto::KV::NewStub(std::move(channel))
      ->Put(&context, request, &response);
}

TEST_F(ServeTest, EagerKeepalivePingsAreTolerated) {
  ClientOptions options = ProbeOptions();
  options.channel_arguments = EagerPings();
  ASSERT_NO_FATAL_FAILURE(Launch(Probe(), options));
  // gRPC sends one a second at most, and by its defaults the fourth is the last
  // a server takes.
  const grpc::Status status =
      HoldBesidePings(client_->channel(), absl::Seconds(6));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << status.error_message();
}

// What the test above guards against: gRPC's own defaults.
TEST(PingsTest, AServerWithoutSettingsCutsThem) {
  class Holder final : public proto::KV::Service {
    grpc::Status Put(grpc::ServerContext* context, const proto::PutRequest*,
                     proto::Empty*) override {
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
      return grpc::Status::OK;
    }
  } holder;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&holder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const grpc::Status status =
      HoldBesidePings(grpc::CreateCustomChannel(
                          absl::StrCat("127.0.0.1:", port),
                          grpc::InsecureChannelCredentials(), EagerPings()),
                      absl::Seconds(60));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
}

}  // namespace
}  // namespace goplugin::testing
