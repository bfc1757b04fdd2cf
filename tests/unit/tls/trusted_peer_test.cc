#include "goplugin/internal/tls/trusted_peer.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/internal/tls/certificate.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::internal {
namespace {

using testing::HasSubstr;

absl::Status Check(const KeyPair& trusted, const KeyPair& shown,
                   PeerRole role = PeerRole::kServer) {
  return CheckTrusted(trusted.certificate_pem, shown.certificate_pem,
                      shown.certificate_pem, role);
}

TEST(CheckTrustedTest, TheOneThatWasAnnounced) {
  const KeyPair pair = MakeCertificate({});
  EXPECT_TRUE(Check(pair, pair).ok());
  EXPECT_TRUE(Check(pair, pair, PeerRole::kClient).ok());
}

TEST(CheckTrustedTest, AtAnyTime) {
  CertificateSpec past;
  past.not_after = absl::FromUnixSeconds(86400);
  past.not_before = absl::FromUnixSeconds(0);
  const KeyPair pair = MakeCertificate(past);
  EXPECT_TRUE(Check(pair, pair).ok()) << Check(pair, pair);
}

TEST(CheckTrustedTest, OneThatItIssued) {
  CertificateSpec spec;
  spec.common_name = "authority";
  const KeyPair authority = MakeCertificate(spec);
  spec = {};
  spec.issuer = &authority;
  const KeyPair issued = MakeCertificate(spec);
  EXPECT_TRUE(Check(authority, issued).ok());
  // And it stands for itself.
  EXPECT_TRUE(Check(issued, issued).ok());
  EXPECT_THAT(Check(issued, authority).message(),
              HasSubstr("certificate verify failed"));
}

TEST(CheckTrustedTest, NoOther) {
  const KeyPair trusted = MakeCertificate({});
  // Of the same names, with another key.
  const KeyPair other = MakeCertificate({});
  for (const PeerRole role : {PeerRole::kServer, PeerRole::kClient}) {
    EXPECT_THAT(Check(trusted, other, role).message(),
                HasSubstr("certificate verify failed"));
  }
  // Signed by somebody of the same name.
  CertificateSpec spec;
  spec.issuer = &other;
  EXPECT_FALSE(Check(trusted, MakeCertificate(spec)).ok());
}

TEST(CheckTrustedTest, AServerOfAnotherNameOrPurpose) {
  CertificateSpec spec;
  spec.common_name = "plugin.example";
  spec.subject_alt_name = "DNS:plugin.example";
  // The announced one's was judged before.
  const KeyPair named = MakeCertificate(spec);
  EXPECT_TRUE(Check(named, named).ok());
  const KeyPair authority = MakeCertificate({});
  spec.issuer = &authority;
  const KeyPair issued = MakeCertificate(spec);
  EXPECT_THAT(Check(authority, issued).message(),
              HasSubstr("hostname mismatch"));
  EXPECT_TRUE(Check(authority, issued, PeerRole::kClient).ok());
  spec = {};
  spec.extended_key_usage = "clientAuth";
  const KeyPair client = MakeCertificate(spec);
  EXPECT_FALSE(Check(client, client).ok());
  EXPECT_TRUE(Check(client, client, PeerRole::kClient).ok());
}

TEST(CheckTrustedTest, NothingAtAll) {
  const KeyPair pair = MakeCertificate({});
  EXPECT_FALSE(
      CheckTrusted(pair.certificate_pem, "", "", PeerRole::kClient).ok());
  EXPECT_FALSE(CheckTrusted(pair.certificate_pem, "true", absl::string_view(),
                            PeerRole::kClient)
                   .ok());
  EXPECT_FALSE(
      CheckTrusted("", pair.certificate_pem, "", PeerRole::kServer).ok());
}

}  // namespace
}  // namespace goplugin::internal
