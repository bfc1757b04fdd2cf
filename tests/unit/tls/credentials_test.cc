#include "goplugin/internal/tls/credentials.h"

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/manual_tls.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/error_matchers.h"
#include "tests/unit/tls/test_certificates.h"
#include "tests/unit/tls/test_server.h"

namespace goplugin::internal {
namespace {

using testing::HasSubstr;
using Key = CertificateSpec::Key;

CertificateSpec Curve(const std::string& curve) {
  CertificateSpec spec;
  spec.curve = curve;
  return spec;
}

KeyPair OneTime() {
  auto pair = GenerateOneTimeCertificate();
  EXPECT_TRUE(pair.ok()) << pair.status();
  return pair.ok() ? *pair : KeyPair{};
}

std::shared_ptr<grpc::ServerCredentials> Server(const KeyPair& ours,
                                                const KeyPair& client) {
  const auto host = ReadHostCertificate(client.certificate_pem);
  EXPECT_TRUE(host.ok()) << host.status();
  if (!host.ok()) return grpc::InsecureServerCredentials();
  auto made = MakeAutoMtlsServerCredentials(ours, *host);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : grpc::InsecureServerCredentials();
}

std::shared_ptr<grpc::ChannelCredentials> Channel(const KeyPair& ours,
                                                  const KeyPair& server) {
  const auto peer = ParsePeerCertificate(server.certificate_der);
  EXPECT_TRUE(peer.ok()) << peer.status();
  if (!peer.ok()) return grpc::InsecureChannelCredentials();
  auto made = MakeAutoMtlsChannelCredentials(ours, *peer);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : grpc::InsecureChannelCredentials();
}

// As a certificate whose end is near is treated.
CertificateSpec ShortLived(CertificateSpec spec) {
  spec.not_after = absl::Now() + absl::Hours(24);
  return spec;
}

void ExpectMutual(const KeyPair& server, const KeyPair& client,
                  const std::string& name) {
  TestServer running(Server(server, client));
  ASSERT_TRUE(running.running()) << name;
  const grpc::Status status = running.Call(Channel(client, server));
  EXPECT_TRUE(GotThrough(status)) << name << ": " << status.error_message();
}

TEST(AutoMtls, ReachesAServerWithItsOwnKindOfCertificate) {
  ExpectMutual(OneTime(), OneTime(), "one-time");
}

TEST(AutoMtls, ReachesServersWithEveryKindOfKey) {
  for (const char* curve : {"P-256", "P-384", "P-521"}) {
    ExpectMutual(MakeCertificate(Curve(curve)), OneTime(), curve);
  }
  CertificateSpec spec;
  spec.key = Key::kRsa;
  ExpectMutual(MakeCertificate(spec), OneTime(), "RSA 2048");
  spec.key = Key::kEd25519;
  ExpectMutual(MakeCertificate(spec), OneTime(), "Ed25519");
}

TEST(AutoMtls, ServesAGoHost) {
  ExpectMutual(OneTime(), MakeCertificate(Curve("P-521")), "P-521 client");
}

// What ParsePeerCertificate lets through must work, however odd.
TEST(AutoMtls, ReachesServersWithOddCertificates) {
  CertificateSpec pyvider = Curve("P-384");
  pyvider.basic_constraints = "critical,CA:FALSE";
  pyvider.key_usage = "critical,digitalSignature";
  pyvider.extended_key_usage = "serverAuth";
  ExpectMutual(MakeCertificate(pyvider), OneTime(), "as pyvider");
  ExpectMutual(MakeCertificate(ShortLived(pyvider)),
               MakeCertificate(ShortLived(Curve("P-521"))), "of one day");
  CertificateSpec sha1;
  sha1.digest = "SHA1";
  ExpectMutual(MakeCertificate(sha1), OneTime(), "SHA-1 by itself");
  CertificateSpec bare;
  bare.subject_alt_name = "";
  bare.basic_constraints = "";
  bare.key_usage = "";
  bare.extended_key_usage = "";
  ExpectMutual(MakeCertificate(bare), OneTime(), "no extensions");
  CertificateSpec authority;
  authority.common_name = "authority";
  const KeyPair issuer = MakeCertificate(authority);
  CertificateSpec issued;
  issued.issuer = &issuer;
  ExpectMutual(MakeCertificate(issued), OneTime(), "issued by another");
}

// A clock that starts in 1970, is set back, or is years apart.
TEST(AutoMtls, DoesNotAskForTheTime) {
  CertificateSpec past;
  past.not_before = absl::FromUnixSeconds(0);
  past.not_after = absl::FromUnixSeconds(86400);
  ExpectMutual(MakeCertificate(past), MakeCertificate(past), "1970");
  CertificateSpec future;
  future.not_before = absl::Now() + absl::Hours(24 * 365 * 10);
  future.not_after = absl::Now() + absl::Hours(24 * 365 * 20);
  ExpectMutual(MakeCertificate(future), MakeCertificate(future), "in 10 years");
}

TEST(AutoMtls, ReachesAServerWithAWeakKeyThatIsLetIn) {
  CertificateSpec spec;
  spec.key = Key::kRsa;
  spec.bits = 1024;
  const KeyPair server = MakeCertificate(spec);
  const KeyPair client = OneTime();
  // OpenSSL refuses to serve with one, at Debian's security level.
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = client.certificate_pem;
  options.pem_key_cert_pairs.push_back(
      {server.private_key_pem, server.certificate_pem});
  TestServer running(grpc::SslServerCredentials(options));
  if (!running.running()) GTEST_SKIP() << "this TLS library does not serve it";
  const auto peer = ParsePeerCertificate(server.certificate_der, 1024);
  ASSERT_TRUE(peer.ok()) << peer.status();
  const auto made = MakeAutoMtlsChannelCredentials(client, *peer);
  ASSERT_TRUE(made.ok()) << made.status();
  const grpc::Status status = running.Call(*made);
  EXPECT_TRUE(GotThrough(status)) << status.error_message();
}

TEST(AutoMtls, RefusesAnotherClientsCertificate) {
  const KeyPair server = OneTime();
  TestServer running(Server(server, OneTime()));
  ASSERT_TRUE(running.running());
  const grpc::Status status = running.Call(Channel(OneTime(), server));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
}

TEST(AutoMtls, RefusesAClientWithoutCertificate) {
  const KeyPair server = OneTime();
  TestServer running(Server(server, OneTime()));
  ASSERT_TRUE(running.running());
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = server.certificate_pem;
  const grpc::Status status = running.Call(grpc::SslCredentials(options));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
}

TEST(AutoMtls, RefusesAServerWithAnotherCertificateThanAnnounced) {
  const KeyPair client = OneTime();
  TestServer running(Server(OneTime(), client));
  ASSERT_TRUE(running.running());
  const grpc::Status status = running.Call(Channel(client, OneTime()));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("certificate"));
}

// Judged once, when it is announced; the TLS library calls it a mismatch.
TEST(AutoMtls, ReachesAServerWithTheAbsoluteName) {
  CertificateSpec spec;
  spec.subject_alt_name = "DNS:localhost.";
  ExpectMutual(MakeCertificate(ShortLived(spec)), OneTime(), "localhost.");
  ExpectMutual(MakeCertificate(spec), OneTime(), "localhost., for long");
}

TEST(ReadHostCertificate, WantsOneAndNotAHundred) {
  std::string many;
  for (int i = 0; i < 17; ++i) many += OneTime().certificate_pem;
  ExpectError(ReadHostCertificate(many).status(), Reason::kOptions,
              "17 certificates", "its own");
}

TEST(ReadHostCertificate, WantsAReadableOne) {
  ExpectError(ReadHostCertificate("").status(), Reason::kOptions, "it is empty",
              "PEM");
  ExpectError(ReadHostCertificate("true").status(), Reason::kOptions,
              "it has 4 bytes and no \"-----BEGIN \" line", "PEM");
}

// The caller's own certificates: an authority, and what it issued.
class ManualTest : public testing::Test {
 protected:
  ManualTest() {
    CertificateSpec spec;
    spec.common_name = "authority";
    authority_ = MakeCertificate(spec);
    spec.issuer = &authority_;
    spec.common_name = "localhost";
    spec.basic_constraints = "CA:FALSE";
    server_ = MakeCertificate(spec);
    client_ = MakeCertificate(spec);
  }

  ManualTls Tls() const {
    ManualTls tls;
    tls.root_certificates = authority_.certificate_pem;
    tls.certificate_chain = client_.certificate_pem;
    tls.private_key = client_.private_key_pem;
    return tls;
  }

  KeyPair authority_;
  KeyPair server_;
  KeyPair client_;
};

TEST_F(ManualTest, ReachesAServerOfTheSameAuthority) {
  TestServer running(Server(server_, authority_));
  ASSERT_TRUE(running.running());
  const auto made = MakeManualChannelCredentials(Tls());
  ASSERT_TRUE(made.ok()) << made.status();
  const grpc::Status status = running.Call(*made);
  EXPECT_TRUE(GotThrough(status)) << status.error_message();
}

TEST_F(ManualTest, RefusesAServerOfAnotherAuthority) {
  TestServer running(Server(OneTime(), authority_));
  ASSERT_TRUE(running.running());
  const auto made = MakeManualChannelCredentials(Tls());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(running.Call(*made).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ManualTest, RefusesWhatValidationRefuses) {
  ManualTls tls = Tls();
  tls.root_certificates = "";
  const auto made = MakeManualChannelCredentials(tls);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status(), ValidateManualTls(tls));
}

}  // namespace
}  // namespace goplugin::internal
