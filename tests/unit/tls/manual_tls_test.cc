#include "goplugin/internal/tls/manual_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/pem.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/error_matchers.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::internal {
namespace {

using testing::HasSubstr;
using testing::Not;

class ValidateManualTlsTest : public testing::Test {
 protected:
  ValidateManualTlsTest() {
    tls_.root_certificates = root_.certificate_pem;
    tls_.certificate_chain = own_.certificate_pem;
    tls_.private_key = own_.private_key_pem;
  }

  void ExpectRefused(const std::string& what, const std::string& evidence,
                     const std::string& hint) {
    const absl::Status status = ValidateManualTls(tls_);
    ExpectError(status, Reason::kOptions, evidence, hint);
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }

  const KeyPair root_ = MakeCertificate({});
  const KeyPair own_ = MakeCertificate({});
  ManualTls tls_;
};

TEST_F(ValidateManualTlsTest, TakesACompleteSetup) {
  EXPECT_TRUE(ValidateManualTls(tls_).ok()) << ValidateManualTls(tls_);
}

TEST_F(ValidateManualTlsTest, TakesRootsAlone) {
  tls_.certificate_chain = "";
  tls_.private_key = "";
  EXPECT_TRUE(ValidateManualTls(tls_).ok()) << ValidateManualTls(tls_);
}

TEST_F(ValidateManualTlsTest, TakesABundleWithTextBetweenItsBlocks) {
  tls_.root_certificates =
      absl::StrCat("# first\n", root_.certificate_pem, "# second\n",
                   own_.certificate_pem, "\n\n");
  tls_.certificate_chain =
      absl::StrCat(own_.certificate_pem, root_.certificate_pem);
  EXPECT_TRUE(ValidateManualTls(tls_).ok()) << ValidateManualTls(tls_);
}

TEST_F(ValidateManualTlsTest, RefusesEmptyRoots) {
  tls_.root_certificates = "";
  ExpectRefused("needs tls.root_certificates", "",
                "trust every authority of the system");
}

TEST_F(ValidateManualTlsTest, RefusesRootsThatAreAFileName) {
  tls_.root_certificates = "/etc/ssl/ca.pem";
  ExpectRefused("tls.root_certificates holds no certificate",
                "it has 15 bytes and no \"-----BEGIN \" line",
                "not the name of a file");
}

TEST_F(ValidateManualTlsTest, RefusesRootsInDer) {
  tls_.root_certificates = root_.certificate_der;
  ExpectRefused("tls.root_certificates holds no certificate", "looks like DER",
                "openssl x509 -inform DER");
}

TEST_F(ValidateManualTlsTest, RefusesABadBlockAfterAGoodOne) {
  std::string bad = own_.certificate_pem;
  bad.replace(bad.find('\n') + 1, 8, "########");
  tls_.root_certificates = absl::StrCat(root_.certificate_pem, bad);
  ExpectRefused("tls.root_certificates holds a certificate that can't be read",
                "1 before it are good", "repair or remove that block");
}

TEST_F(ValidateManualTlsTest, RefusesATruncatedBlock) {
  tls_.root_certificates =
      root_.certificate_pem.substr(0, root_.certificate_pem.size() - 10);
  ExpectRefused("tls.root_certificates holds a certificate that can't be read",
                "0 before it are good", "repair or remove that block");
}

TEST_F(ValidateManualTlsTest, RefusesHalfAPair) {
  tls_.private_key = "";
  ExpectRefused("tls.certificate_chain is set and tls.private_key is empty", "",
                "set both, or neither");
  tls_.private_key = own_.private_key_pem;
  tls_.certificate_chain = "";
  ExpectRefused("tls.private_key is set and tls.certificate_chain is empty", "",
                "set both, or neither");
}

TEST_F(ValidateManualTlsTest, RefusesTheKeyOfAnotherCertificate) {
  tls_.private_key = root_.private_key_pem;
  ExpectRefused("tls.private_key does not belong to the first certificate", "",
                "the key must be that of the first one");
}

TEST_F(ValidateManualTlsTest, RefusesAnUnreadableKeyAndDoesNotQuoteIt) {
  std::string bad = own_.private_key_pem;
  bad.replace(bad.find('\n') + 1, 8, "########");
  tls_.private_key = bad;
  ExpectRefused("tls.private_key can't be read", "it has", "openssl pkey");
  const std::string secret = bad.substr(bad.find("########") + 8, 16);
  EXPECT_THAT(ValidateManualTls(tls_).ToString(), Not(HasSubstr(secret)));
}

TEST_F(ValidateManualTlsTest, RefusesAnEncryptedKeyWithoutAskingForIt) {
  const auto key = ReadPrivateKey(own_.private_key_pem, "test");
  ASSERT_TRUE(key.ok()) << key.status();
  char passphrase[] = "secret";
  const OpensslPtr<BIO> bio(BIO_new(BIO_s_mem()));
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key->get(), EVP_aes_128_cbc(),
                                    passphrase, 6, nullptr, nullptr),
      1);
  tls_.private_key = BioBytes(bio.get());
  ExpectRefused("tls.private_key is encrypted", "it has", "decrypt it first");
}

#if !defined(OPENSSL_IS_BORINGSSL)  // which takes RSA 1024
TEST_F(ValidateManualTlsTest, RefusesAnOwnCertificateThatIsTooWeak) {
  CertificateSpec spec;
  spec.key = CertificateSpec::Key::kRsa;
  spec.bits = 1024;
  const KeyPair weak = MakeCertificate(spec);
  tls_.certificate_chain = weak.certificate_pem;
  tls_.private_key = weak.private_key_pem;
  ExpectRefused("the TLS library refuses the certificate", "too small",
                "2048 bits or more");
}
#endif

}  // namespace
}  // namespace goplugin::internal
