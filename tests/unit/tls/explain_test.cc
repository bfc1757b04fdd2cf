#include "goplugin/internal/tls/explain.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/credentials.h"
#include "goplugin/internal/tls/probe.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/error_matchers.h"
#include "tests/unit/tls/test_certificates.h"
#include "tests/unit/tls/test_server.h"

namespace goplugin::internal {
namespace {

using testing::HasSubstr;
using Kind = WireKind::Kind;

WireKind Saw(Kind kind) { return WireKind{kind, ""}; }

PeerCertificate Peer(const KeyPair& pair) {
  const auto peer = ParsePeerCertificate(pair.certificate_der);
  EXPECT_TRUE(peer.ok()) << peer.status();
  return peer.ok() ? *peer : PeerCertificate{};
}

absl::optional<WireKind> Probe(const Endpoint& endpoint,
                               const TlsClient& client) {
  const auto kind = ProbeEndpoint(endpoint, absl::Seconds(10), client);
  EXPECT_TRUE(kind.ok()) << kind.status();
  return kind.ok() ? absl::optional<WireKind>(*kind) : absl::nullopt;
}

// A real server, and what a real failure to reach it is explained as. The
// texts are gRPC's own, whichever version this is built with.
class RealFailureTest : public testing::Test {
 protected:
  std::shared_ptr<grpc::ServerCredentials> TlsServer(
      const KeyPair& own, const KeyPair& trusted_client) {
    const auto host = ReadHostCertificate(trusted_client.certificate_pem);
    EXPECT_TRUE(host.ok()) << host.status();
    if (!host.ok()) return grpc::InsecureServerCredentials();
    const auto made = MakeAutoMtlsServerCredentials(own, *host);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : grpc::InsecureServerCredentials();
  }

  std::shared_ptr<grpc::ChannelCredentials> ClientCredentials(
      const PeerCertificate& announced) {
    const auto made = MakeAutoMtlsChannelCredentials(client_, announced);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *made : grpc::InsecureChannelCredentials();
  }

  TlsClient Pinned() const {
    return {{peer_.pem, client_.certificate_pem, client_.private_key_pem, ""},
            true};
  }

  // With a look at the first bytes, without: the text alone, and with a
  // handshake and no text.
  void Run(std::shared_ptr<grpc::ServerCredentials> server,
           std::shared_ptr<grpc::ChannelCredentials> channel, bool tls_used,
           const PeerCertificate* announced, const TlsClient& client) {
    TestServer running(std::move(server));
    ASSERT_TRUE(running.running());
    const grpc::Status status = running.Call(std::move(channel));
    ASSERT_FALSE(GotThrough(status));
    probed_ = ExplainTlsFailure(status.error_message(), tls_used,
                                Probe(running.endpoint(), {}), announced);
    no_text_ = ExplainTlsFailure("", tls_used,
                                 Probe(running.endpoint(), client), announced);
    text_only_ = ExplainTlsFailure(status.error_message(), tls_used,
                                   absl::nullopt, announced);
  }

  const KeyPair client_ = MakeCertificate({});
  const KeyPair server_ = MakeCertificate({});
  const PeerCertificate peer_ = Peer(server_);
  absl::Status probed_;
  absl::Status text_only_;
  absl::Status no_text_;
};

TEST_F(RealFailureTest, PlainServer) {
  Run(grpc::InsecureServerCredentials(), ClientCredentials(peer_), true, &peer_,
      Pinned());
  ExpectError(probed_, Reason::kTls,
              "a TLS ClientHello was answered with HTTP/2 without TLS",
              "TlsMode::kInsecure");
  ExpectError(text_only_, Reason::kTls, "gRPC says", "TlsMode::kInsecure");
}

TEST_F(RealFailureTest, TlsServerAndPlainClient) {
  Run(TlsServer(server_, client_), grpc::InsecureChannelCredentials(), false,
      nullptr, {});
  ExpectError(probed_, Reason::kTls, "was answered with TLS",
              "TlsMode::kManual");
  ExpectError(probed_, Reason::kTls, "", "TlsMode::kAutoMtlsIfOffered");
  // Only the probe can tell.
  EXPECT_TRUE(text_only_.ok()) << text_only_;
}

TEST_F(RealFailureTest, AnotherCertificateThanAnnounced) {
  Run(TlsServer(MakeCertificate({}), client_), ClientCredentials(peer_), true,
      &peer_, Pinned());
  for (const absl::Status& status : {probed_, text_only_, no_text_}) {
    ExpectError(status, Reason::kServerCertificate,
                "the announced certificate has an ECDSA P-256 key, the DNS "
                "names [localhost], and is valid from ",
                "another certificate than the one in its handshake line");
    ExpectError(status, Reason::kServerCertificate, "", "TlsMode::kManual");
  }
}

TEST_F(RealFailureTest, WrongName) {
  CertificateSpec spec;
  spec.common_name = "plugin.example";
  spec.subject_alt_name = "DNS:plugin.example";
  const KeyPair named = MakeCertificate(spec);
  ManualTls tls;
  tls.root_certificates = named.certificate_pem;
  tls.certificate_chain = client_.certificate_pem;
  tls.private_key = client_.private_key_pem;
  const auto channel = MakeManualChannelCredentials(tls);
  ASSERT_TRUE(channel.ok()) << channel.status();
  Run(TlsServer(named, client_), *channel, true, nullptr, {tls});
  for (const absl::Status& status : {probed_, text_only_, no_text_}) {
    ExpectError(status, Reason::kServerCertificate, "gRPC says",
                "ClientOptions::tls.server_name");
  }
}

// An authority that made itself a new key: what OpenSSL says of it speaks of
// signatures, not of certificates.
TEST_F(RealFailureTest, RootOfTheSameNameWithAnotherKey) {
  for (CertificateSpec::Key kind :
       {CertificateSpec::Key::kEc, CertificateSpec::Key::kRsa}) {
    CertificateSpec spec;
    spec.key = kind;
    spec.common_name = "authority";
    const KeyPair authority = MakeCertificate(spec);
    const KeyPair renewed = MakeCertificate(spec);
    spec.common_name = "localhost";
    spec.basic_constraints = "critical,CA:FALSE";
    spec.issuer = &authority;
    const KeyPair issued = MakeCertificate(spec);
    ManualTls tls;
    tls.root_certificates = renewed.certificate_pem;
    const auto channel = MakeManualChannelCredentials(tls);
    ASSERT_TRUE(channel.ok()) << channel.status();
    Run(TlsServer(issued, client_), *channel, true, nullptr, {tls});
    for (const absl::Status& status : {probed_, text_only_, no_text_}) {
      ExpectError(status, Reason::kServerCertificate, "gRPC says",
                  "ClientOptions::tls.root_certificates");
    }
  }
}

TEST_F(RealFailureTest, ClientCertificateRefused) {
  Run(TlsServer(server_, MakeCertificate({})), ClientCredentials(peer_), true,
      &peer_, Pinned());
  ExpectError(probed_, Reason::kTls, "was answered with TLS",
              "PLUGIN_CLIENT_CERT");
  ExpectError(probed_, Reason::kTls, "", "TlsMode::kManual");
  ExpectError(no_text_, Reason::kTls, "was answered with TLS",
              "PLUGIN_CLIENT_CERT");
}

struct TextCase {
  const char* text;
  Reason reason;
  const char* what;
  const char* hint;
};

// What other servers (Go's) and other builds of gRPC (BoringSSL) make it say.
TEST(ExplainTlsFailure, UnderstandsTextsThatThisBuildDoesNotSay) {
  const std::vector<TextCase> cases = {
      {"Ssl handshake failed: SSL_ERROR_SSL: error:0A00017A:SSL "
       "routines::wrong curve",
       Reason::kServerCertificate, "can't be used in TLS 1.2", "TLS 1.3"},
      {"SSL_ERROR_SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca",
       Reason::kTls, "does not trust the host's", "tls.certificate_chain"},
      {"error:0A000410:SSL routines::sslv3 alert handshake failure",
       Reason::kTls, "does not trust the host's", "TlsMode::kManual"},
      {"Cannot check peer: missing selected ALPN property.", Reason::kTls,
       "does not offer HTTP/2", "ALPN"},
      {"error:0A000460:SSL routines::tlsv1 alert no application protocol",
       Reason::kTls, "does not offer HTTP/2", "NextProtos"},
      {"error:0A00042E:SSL routines::tlsv1 alert protocol version",
       Reason::kTls, "no TLS version or algorithm", "TLS 1.2 or 1.3"},
      {"Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: "
       "error:1000007d:SSL routines:OPENSSL_internal:"
       "CERTIFICATE_VERIFY_FAILED: self signed certificate",
       Reason::kServerCertificate, "could not be verified",
       "tls.root_certificates"},
      {"error:1D800100:Provider routines::provider signature failure: "
       "certificate signature failure",
       Reason::kServerCertificate, "could not be verified",
       "tls.root_certificates"},
      {"error:068000DD:asn1 encoding routines::invalid length",
       Reason::kServerCertificate, "could not be verified",
       "tls.root_certificates"},
      {"error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
       Reason::kTls, "serves without TLS", "TlsMode::kInsecure"},
      {"Custom verification check failed with error: UNAUTHENTICATED: "
       "Hostname Verification Check failed.",
       Reason::kServerCertificate, "for another name", "tls.server_name"},
      {"Ssl handshake failed: SSL_ERROR_SSL: something new", Reason::kTls,
       "the TLS handshake with the plugin failed", "TlsMode::kInsecure"},
  };
  for (const TextCase& c : cases) {
    const absl::Status status =
        ExplainTlsFailure(c.text, true, absl::nullopt, nullptr);
    ExpectError(status, c.reason, "gRPC says", c.hint);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.what));
  }
}

TEST(ExplainTlsFailure, ACutHandshakeNeedsTheProbe) {
  for (const char* text : {"Socket closed", "Endpoint read failed",
                           "Connection reset by peer", "Broken pipe"}) {
    ExpectError(ExplainTlsFailure(text, true, Saw(Kind::kTls), nullptr),
                Reason::kTls, "was answered with TLS", "tls.private_key");
    EXPECT_TRUE(ExplainTlsFailure(text, true, absl::nullopt, nullptr).ok());
    EXPECT_TRUE(
        ExplainTlsFailure(text, true, Saw(Kind::kClosed), nullptr).ok());
  }
}

TEST(ExplainTlsFailure, StaysSilentAboutOtherFailures) {
  EXPECT_TRUE(
      ExplainTlsFailure("Deadline Exceeded", true, Saw(Kind::kTls), nullptr)
          .ok());
  EXPECT_TRUE(
      ExplainTlsFailure("Deadline Exceeded", true, Saw(Kind::kSilent), nullptr)
          .ok());
  EXPECT_TRUE(ExplainTlsFailure("No such file or directory", false,
                                absl::nullopt, nullptr)
                  .ok());
  EXPECT_TRUE(
      ExplainTlsFailure("Socket closed", false, Saw(Kind::kHttp2), nullptr)
          .ok());
  // A socket's path is no clue.
  EXPECT_TRUE(ExplainTlsFailure("unix:/tmp/alpn/handshake failed: Connection "
                                "refused",
                                true, absl::nullopt, nullptr)
                  .ok());
}

}  // namespace
}  // namespace goplugin::internal
