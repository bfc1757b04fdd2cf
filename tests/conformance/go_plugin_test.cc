// This SDK as host of plugins built with hashicorp/go-plugin: the connection.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/conformance/peers.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

class GoPluginTest : public PeersTest {
 protected:
  GoPluginTest() : PeersTest({"kv"}) {}

  Launched LaunchKv(std::vector<std::string> args, ClientOptions options) {
    return Client::Launch(Peer("kv", std::move(args)), std::move(options));
  }

  // A launch that works, and everything after it.
  void Walk(std::vector<std::string> args, TlsMode mode, bool uses_tls) {
    Launched client = LaunchKv(std::move(args), KvOptionsWith(mode));
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->uses_tls(), uses_tls);
    ExpectFullWalk(**client, "Written from conformance kv");
  }
};

TEST_F(GoPluginTest, Plaintext) { Walk({}, TlsMode::kInsecure, false); }

// Its certificate has a P-521 key.
TEST_F(GoPluginTest, AutoMtls) { Walk({}, TlsMode::kAutoMtls, true); }

TEST_F(GoPluginTest, AutoMtlsIfOffered) {
  Walk({}, TlsMode::kAutoMtlsIfOffered, true);
}

TEST_F(GoPluginTest, TcpPlaintext) {
  Walk({"-network", "tcp"}, TlsMode::kInsecure, false);
}

TEST_F(GoPluginTest, TcpAutoMtls) {
  Walk({"-network", "tcp"}, TlsMode::kAutoMtls, true);
}

TEST_F(GoPluginTest, TcpOverIpv6) {
  Walk({"-network", "tcp6"}, TlsMode::kAutoMtls, true);
}

TEST_F(GoPluginTest, TcpKeepsToThePortsItIsGiven) {
  ClientOptions options = KvOptions();
  options.min_port = 21000;
  options.max_port = 21999;
  Launched client = LaunchKv({"-network", "tcp"}, options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_TRUE(absl::StartsWith((*client)->endpoint().address, "127.0.0.1:21"))
      << (*client)->endpoint().address;
}

TEST_F(GoPluginTest, ListensInTheDirectoryMadeForIt) {
  Launched client = LaunchKv({}, KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Get(**client, "!env:PLUGIN_UNIX_SOCKET_DIR") + "/",
            (*client)->endpoint().address.substr(
                0, (*client)->endpoint().address.rfind('/') + 1));
  EXPECT_TRUE(absl::StartsWith((*client)->endpoint().address, temp()));
}

TEST_F(GoPluginTest, FourFieldsMeanNetRpc) {
  ExpectError(LaunchKv({"-fields", "4"}, KvOptions()).status(),
              {Reason::kProtocol, "1|1|unix|", "gRPC"});
}

TEST_F(GoPluginTest, FiveFields) {
  Walk({"-fields", "5"}, TlsMode::kInsecure, false);
}

TEST_F(GoPluginTest, SixFieldsWithoutCertificate) {
  Walk({"-fields", "6"}, TlsMode::kInsecure, false);
}

TEST_F(GoPluginTest, SixFieldsWithCertificate) {
  Walk({"-fields", "6"}, TlsMode::kAutoMtls, true);
}

TEST_F(GoPluginTest, SevenFieldsUnasked) {
  Walk({"-fields", "7"}, TlsMode::kAutoMtls, true);
}

TEST_F(GoPluginTest, TextBeforeTheLine) {
  Walk({"-stdout", "loading\x1b[0m the |configuration|"}, TlsMode::kAutoMtls,
       true);
}

TEST_F(GoPluginTest, TheHighestCommonVersionIsChosen) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {2, 4, 3};
  Launched client = LaunchKv({"-versions", "1,2,3"}, options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->protocol_version(), 3u);
  EXPECT_EQ(Get(**client, "!version"), "3");
}

TEST_F(GoPluginTest, NoCommonVersionNamesBoth) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {7, 8};
  const absl::Status status = LaunchKv({"-versions", "2,3"}, options).status();
  ExpectError(status, {Reason::kAppVersion, "{7, 8}", ""});
  ExpectError(status, {Reason::kAppVersion, "2", ""});
}

TEST_F(GoPluginTest, AnotherCookieIsExplained) {
  ExpectError(LaunchKv({"-cookie", "other"}, KvOptions()).status(),
              {Reason::kExitedEarly, "This binary is a plugin", ""});
}

TEST_F(GoPluginTest, BigMessagesBothWays) {
  constexpr size_t kSize = size_t{64} << 20;
  Launched client = LaunchKv({}, KvOptions());
  ASSERT_TRUE(client.ok()) << client.status();
  const std::string value(kSize, 'x');
  ASSERT_EQ(Put(**client, "big", value), "");
  const std::string back = Get(**client, "big");
  EXPECT_GT(back.size(), kSize);
  // No EXPECT_EQ: nobody wants to read both.
  EXPECT_TRUE(absl::StartsWith(back, value));
}

TEST_F(GoPluginTest, LongErrorTextsArriveWhole) {
  constexpr size_t kSize = 20000;
  Launched client = LaunchKv({}, KvOptionsWith(TlsMode::kAutoMtls));
  ASSERT_TRUE(client.ok()) << client.status();
  const grpc::Status status = GetStatus(**client, "!error:20000");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), std::string(kSize, 'e'));
}

class HashicorpPluginTest : public PeersTest {
 protected:
  HashicorpPluginTest()
      : PeersTest({"hashicorp-plugin-go-grpc", "hashicorp-plugin-go-netrpc",
                   "hashicorp-negotiated-plugin"}) {}
};

TEST_F(HashicorpPluginTest, GrpcExample) {
  for (TlsMode mode : {TlsMode::kAutoMtls, TlsMode::kInsecure}) {
    Launched client = Client::Launch(Peer("hashicorp-plugin-go-grpc", {}),
                                     KvOptionsWith(mode));
    ASSERT_TRUE(client.ok()) << client.status();
    ExpectFullWalk(**client, "Written from plugin-go-grpc");
  }
}

TEST_F(HashicorpPluginTest, NetRpcExampleIsRefused) {
  ExpectError(
      Client::Launch(Peer("hashicorp-plugin-go-netrpc", {}), KvOptions())
          .status(),
      {Reason::kProtocol, "netrpc", "gRPC"});
}

// It serves version 2 by net/rpc and version 3 by gRPC.
TEST_F(HashicorpPluginTest, NegotiatedExample) {
  for (TlsMode mode : {TlsMode::kAutoMtls, TlsMode::kInsecure}) {
    ClientOptions options = KvOptionsWith(mode);
    options.handshake.protocol_versions = {2, 3};
    Launched client =
        Client::Launch(Peer("hashicorp-negotiated-plugin", {}), options);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->protocol_version(), 3u);
    ExpectFullWalk(**client, "value");
  }
}

TEST_F(HashicorpPluginTest, NegotiatedExampleOnItsNetRpcVersion) {
  ClientOptions options = KvOptions();
  options.handshake.protocol_versions = {2};
  ExpectError(
      Client::Launch(Peer("hashicorp-negotiated-plugin", {}), options).status(),
      {Reason::kProtocol, "netrpc", "gRPC"});
}

}  // namespace
}  // namespace goplugin::testing
