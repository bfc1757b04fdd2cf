#include "goplugin/internal/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/pem.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

using testing::ElementsAre;

KeyPair Generate() {
  absl::StatusOr<KeyPair> pair = GenerateOneTimeCertificate();
  EXPECT_TRUE(pair.ok()) << pair.status();
  return pair.ok() ? *pair : KeyPair{};
}

OpensslPtr<X509> Read(const KeyPair& pair) {
  auto list = ReadCertificates(pair.certificate_pem, "test");
  EXPECT_TRUE(list.ok()) << list.status();
  return list.ok() ? std::move(list->front()) : nullptr;
}

TEST(OneTimeCertificate, IsWhatAPluginMustBring) {
  const KeyPair pair = Generate();
  const auto peer = ParsePeerCertificate(pair.certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->key_description, "ECDSA P-256");
  EXPECT_FALSE(peer->is_p521);
  EXPECT_THAT(peer->dns_names, ElementsAre("localhost"));
  EXPECT_EQ(peer->pem, pair.certificate_pem);
}

// The clocks of the two sides may be anywhere, and move.
TEST(OneTimeCertificate, IsValidAtAnyTime) {
  const KeyPair pair = Generate();
  const auto peer = ParsePeerCertificate(pair.certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->not_before, absl::UnixEpoch());
  EXPECT_EQ(peer->not_after,
            absl::FromCivil(absl::CivilSecond(9999, 12, 31, 23, 59, 59),
                            absl::UTCTimeZone()));
  // As every TLS library reads it.
  const OpensslPtr<X509> certificate = Read(pair);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), -1);
  EXPECT_EQ(X509_cmp_current_time(X509_get0_notAfter(certificate.get())), 1);
}

TEST(OneTimeCertificate, IsNoAuthorityAndServesBothSides) {
  const KeyPair pair = Generate();
  const OpensslPtr<X509> certificate = Read(pair);
  ASSERT_NE(certificate, nullptr);
  X509* raw = certificate.get();
  EXPECT_EQ(X509_check_ca(raw), 0);
  EXPECT_EQ(X509_check_purpose(raw, X509_PURPOSE_SSL_SERVER, 0), 1);
  EXPECT_EQ(X509_check_purpose(raw, X509_PURPOSE_SSL_CLIENT, 0), 1);
  EXPECT_EQ(X509_get_extended_key_usage(raw),
            static_cast<uint32_t>(XKU_SSL_SERVER | XKU_SSL_CLIENT));
  EXPECT_EQ(X509_get_key_usage(raw),
            static_cast<uint32_t>(KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT));
  EXPECT_EQ(X509_get_signature_nid(raw), NID_ecdsa_with_SHA256);
  EXPECT_EQ(X509_get_version(raw), 2);
}

TEST(OneTimeCertificate, IsSignedByItsOwnKey) {
  const KeyPair pair = Generate();
  const OpensslPtr<X509> certificate = Read(pair);
  const auto key = ReadPrivateKey(pair.private_key_pem, "test");
  ASSERT_NE(certificate, nullptr);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(X509_verify(certificate.get(), key->get()), 1);
}

TEST(OneTimeCertificate, IsNewEachTime) {
  const KeyPair one = Generate();
  const KeyPair two = Generate();
  const OpensslPtr<X509> first = Read(one);
  const OpensslPtr<X509> second = Read(two);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(one.private_key_pem, two.private_key_pem);
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get_serialNumber(first.get()),
                             X509_get_serialNumber(second.get())),
            0);
}

TEST(OneTimeCertificate, LeavesTheErrorQueueEmpty) {
  ERR_put_error(ERR_LIB_USER, 0, 1, "leftover", 1);
  Generate();
  EXPECT_EQ(ERR_peek_error(), 0u);
}

}  // namespace
}  // namespace goplugin::internal
