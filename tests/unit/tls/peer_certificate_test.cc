#include <openssl/crypto.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/certificate.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/error_matchers.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::internal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Key = CertificateSpec::Key;

absl::Status Parse(const CertificateSpec& spec) {
  return ParsePeerCertificate(MakeCertificate(spec).certificate_der).status();
}

void ExpectRefused(const CertificateSpec& spec, const std::string& evidence,
                   const std::string& hint) {
  ExpectError(Parse(spec), Reason::kServerCertificate, evidence, hint);
}

CertificateSpec WithNames(const std::string& common_name,
                          const std::string& subject_alt_name) {
  CertificateSpec spec;
  spec.common_name = common_name;
  spec.subject_alt_name = subject_alt_name;
  return spec;
}

// A subjectAltName with the one name `bytes`, in hex, ASN.1 tag included.
std::string RawName(const std::string& hex) {
  const size_t size = hex.size() / 2;
  std::string text = absl::StrCat("DER:30", absl::Hex(size, absl::kZeroPad2));
  return absl::StrCat(text, hex);
}

TEST(ParsePeerCertificate, DescribesTheKey) {
  struct Case {
    Key key;
    std::string curve;
    int bits;
    std::string description;
  };
  for (const Case& c : std::vector<Case>{{Key::kEc, "P-256", 0, "ECDSA P-256"},
                                         {Key::kEc, "P-384", 0, "ECDSA P-384"},
                                         {Key::kEc, "P-521", 0, "ECDSA P-521"},
                                         {Key::kRsa, "", 2048, "RSA 2048"},
                                         {Key::kEd25519, "", 0, "Ed25519"}}) {
    CertificateSpec spec;
    spec.key = c.key;
    spec.curve = c.curve;
    spec.bits = c.bits;
    const auto peer =
        ParsePeerCertificate(MakeCertificate(spec).certificate_der);
    ASSERT_TRUE(peer.ok()) << c.description << ": " << peer.status();
    EXPECT_EQ(peer->key_description, c.description);
    EXPECT_EQ(peer->is_p521, c.curve == "P-521");
  }
}

TEST(ParsePeerCertificate, KeepsNamesTimesAndPem) {
  CertificateSpec spec;
  spec.subject_alt_name = "DNS:a.example,DNS:localhost,IP:127.0.0.1";
  spec.not_before = absl::FromUnixSeconds(1000);
  spec.not_after = absl::FromUnixSeconds(5000000000);  // past 2^32
  const KeyPair pair = MakeCertificate(spec);
  const auto peer = ParsePeerCertificate(pair.certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_THAT(peer->dns_names, ElementsAre("a.example", "localhost"));
  EXPECT_EQ(peer->not_before, spec.not_before);
  EXPECT_EQ(peer->not_after, spec.not_after);
  EXPECT_EQ(peer->pem, pair.certificate_pem);
}

TEST(ParsePeerCertificate, TakesACertificateAsPyviderMakesIt) {
  CertificateSpec spec;
  spec.curve = "P-384";
  spec.common_name = "pyvider.rpcplugin.autogen.server";
  spec.basic_constraints = "critical,CA:FALSE";
  spec.key_usage = "critical,digitalSignature";
  spec.extended_key_usage = "serverAuth";
  EXPECT_TRUE(Parse(spec).ok()) << Parse(spec);
}

TEST(ParsePeerCertificate, TakesACertificateWithoutExtensions) {
  CertificateSpec spec;
  spec.subject_alt_name = "";
  spec.basic_constraints = "";
  spec.key_usage = "";
  spec.extended_key_usage = "";
  const auto peer = ParsePeerCertificate(MakeCertificate(spec).certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_THAT(peer->dns_names, IsEmpty());
}

TEST(ParsePeerCertificate, RefusesWhatIsNoCertificate) {
  const auto parse = [](const std::string& der) {
    return ParsePeerCertificate(der).status();
  };
  ExpectError(parse(""), Reason::kServerCertificate, "it has 0 bytes",
              "field 6");
  ExpectError(parse("gar\x01"
                    "bage"),
              Reason::kServerCertificate,
              "it has 8 bytes; its first bytes are \"gar\\x01\\x62\\x61ge\"",
              "DER, in base64");
  const KeyPair pair = MakeCertificate({});
  ExpectError(parse(pair.certificate_pem), Reason::kServerCertificate,
              "-----BEGIN CERTIFICATE-----", "a PEM text");
  const std::string half =
      pair.certificate_der.substr(0, pair.certificate_der.size() / 2);
  ExpectError(parse(half), Reason::kServerCertificate,
              absl::StrCat("it has ", half.size(), " bytes"), "field 6");
  ExpectError(parse(std::string(100000, '0')), Reason::kServerCertificate,
              "it has 100000 bytes; at most 65536", "field 6");
}

TEST(ParsePeerCertificate, RefusesTrailingBytes) {
  const std::string der = MakeCertificate({}).certificate_der;
  ExpectError(ParsePeerCertificate(der + "|x").status(),
              Reason::kServerCertificate,
              absl::StrCat("the certificate ends after ", der.size(), " of ",
                           der.size() + 2, " bytes; then comes \"|x\""),
              "one certificate");
}

TEST(ParsePeerCertificate, DoesNotAskForTheTime) {
  CertificateSpec past;
  past.not_before = absl::FromUnixSeconds(0);
  past.not_after = absl::FromUnixSeconds(86400);
  EXPECT_TRUE(Parse(past).ok()) << Parse(past);
  CertificateSpec future;
  future.not_before = absl::Now() + absl::Hours(24 * 365 * 10);
  future.not_after = absl::Now() + absl::Hours(24 * 365 * 20);
  EXPECT_TRUE(Parse(future).ok()) << Parse(future);
}

TEST(ParsePeerCertificate, RefusesKeysThatTlsRefuses) {
  CertificateSpec spec;
  spec.key = Key::kRsa;
  spec.bits = 1024;
  ExpectRefused(spec, "it is RSA 1024; an RSA key must have 2048 bits",
                "ECDSA P-256");
  ExpectRefused(spec, "it is RSA 1024", "ClientOptions::tls.min_rsa_bits");
  const std::string weak = MakeCertificate(spec).certificate_der;
  EXPECT_TRUE(ParsePeerCertificate(weak, 1024).ok());
  EXPECT_FALSE(ParsePeerCertificate(weak, 1025).ok());
  spec = {};
  spec.curve = "P-224";
  ExpectRefused(spec, "it is ECDSA secp224r1", "ECDSA P-256");
#if !defined(OPENSSL_IS_BORINGSSL)  // does not know the curve
  spec.curve = "secp256k1";
  ExpectRefused(spec, "it is ECDSA secp256k1", "ECDSA P-256");
#endif
}

TEST(ParsePeerCertificate, AWeakSignatureCountsOnlyIfSomebodyElseMadeIt) {
  CertificateSpec authority;
  authority.common_name = "authority";
  const KeyPair issuer = MakeCertificate(authority);
  CertificateSpec spec;
  spec.digest = "SHA1";
  EXPECT_TRUE(Parse(spec).ok()) << Parse(spec);
  spec.issuer = &issuer;
  ExpectRefused(spec,
                "it is ecdsa-with-SHA1; the certificate was issued by "
                "\"CN=authority\"",
                "signed with SHA-256");
  spec.digest = "SHA256";
  EXPECT_TRUE(Parse(spec).ok()) << Parse(spec);
}

TEST(ParsePeerCertificate, RefusesPurposesOtherThanServing) {
  CertificateSpec spec;
  spec.extended_key_usage = "clientAuth";
  ExpectRefused(spec, "extended key usage lacks serverAuth", "AutoMTLS");
  spec = {};
  spec.key_usage = "critical,keyCertSign";
  ExpectRefused(spec, "key usage lacks digitalSignature", "AutoMTLS");
}

TEST(ParsePeerCertificate, TakesTheNamesThatGrpcTakes) {
  for (const CertificateSpec& spec :
       {WithNames("x", "DNS:localhost"), WithNames("x", "DNS:LocalHost"),
        WithNames("x", "DNS:localhost."), WithNames("localhost", ""),
        WithNames("x", "DNS:a.example,DNS:localhost")}) {
    EXPECT_TRUE(Parse(spec).ok()) << spec.subject_alt_name;
  }
}

TEST(ParsePeerCertificate, RefusesOtherNames) {
  ExpectRefused(WithNames("x", ""),
                "its common name is \"x\"; it has no subject alternative name",
                "the DNS name \"localhost\"");
  ExpectRefused(WithNames("localhost", "DNS:a.example,DNS:b.example"),
                "its DNS names are \"a.example, b.example\"",
                "the DNS name \"localhost\"");
  // Any alternative name takes the common name's place.
  ExpectRefused(WithNames("localhost", "IP:127.0.0.1"),
                "its subject alternative name holds no DNS name",
                "the DNS name \"localhost\"");
  ExpectRefused(WithNames("localhost", "DNS:*"), "its DNS names are \"*\"",
                "the DNS name \"localhost\"");
  // "localhost\0x" as a DNS name is not "localhost".
  ExpectRefused(WithNames("x", RawName("820b6c6f63616c686f73740078")),
                "localhost\\x00x", "the DNS name \"localhost\"");
}

// gRPC asserts that it can read every name: such a certificate, once trusted,
// ends the host's process.
TEST(ParsePeerCertificate, RefusesNamesThatWouldAbortGrpc) {
  ExpectRefused(
      WithNames("localhost", RawName("82096c6f63616c686f73748703010203")),
      "an IP address of 3 bytes", "AutoMTLS");
}

}  // namespace
}  // namespace goplugin::internal
