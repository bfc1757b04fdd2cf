#include "goplugin/internal/tls/handshake.h"

#include <openssl/pem.h>

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/test_certificates.h"

namespace goplugin::internal {
namespace {

int ChooseHttp2(SSL* /*ssl*/, const unsigned char** out, unsigned char* size,
                const unsigned char* /*offered*/, unsigned int /*length*/,
                void* /*context*/) {
  static constexpr unsigned char kHttp2[] = {'h', '2'};
  *out = kHttp2;
  *size = sizeof kHttp2;
  return SSL_TLSEXT_ERR_OK;
}

int RefuseProtocols(SSL* /*ssl*/, const unsigned char** /*out*/,
                    unsigned char* /*size*/, const unsigned char* /*offered*/,
                    unsigned int /*length*/, void* /*context*/) {
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The TLS library's own server, for HTTP/2, which speaks once it is connected.
class Server {
 public:
  using Change = std::function<void(SSL_CTX*)>;

  Server(const KeyPair& own, const Change& change)
      : context_(SSL_CTX_new(TLS_server_method())) {
    const OpensslPtr<BIO> certificate = ReadBio(own.certificate_pem);
    const OpensslPtr<X509> x509(
        PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    const OpensslPtr<BIO> key = ReadBio(own.private_key_pem);
    const OpensslPtr<EVP_PKEY> pkey(
        PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(SSL_CTX_use_certificate(context_.get(), x509.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_.get(), pkey.get()), 1);
    SSL_CTX_set_alpn_select_cb(context_.get(), ChooseHttp2, nullptr);
    change(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_accept_state(ssl_.get());
  }

  // What it says to what it is sent.
  std::string Answer(absl::string_view bytes) {
    const ErrorQueueGuard guard;
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    if (SSL_do_handshake(ssl_.get()) == 1 && !has_spoken_) {
      SSL_write(ssl_.get(), "settings", 8);
      has_spoken_ = true;
    }
    std::string said = BioBytes(out_);
    (void)BIO_reset(out_);
    return said;
  }

 private:
  OpensslPtr<SSL_CTX> context_;
  OpensslPtr<SSL> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  bool has_spoken_ = false;
};

class TlsHandshakeTest : public testing::Test {
 protected:
  // `step`: how many bytes arrive at once.
  HandshakeResult Run(
      const TlsClient& client, const KeyPair& server,
      const Server::Change& change = [](SSL_CTX*) {}, size_t step = 100000) {
    TlsHandshake handshake(client);
    Server running(server, change);
    std::string flight = handshake.TakeOutput();
    while (!flight.empty() &&
           handshake.result() == HandshakeResult::kUnfinished) {
      const std::string answer = running.Answer(flight);
      flight.clear();
      for (size_t at = 0; at < answer.size(); at += step) {
        handshake.Feed(absl::string_view(answer).substr(at, step));
        flight += handshake.TakeOutput();
      }
    }
    return handshake.result();
  }

  TlsClient Pinned(const KeyPair& trusted) const {
    return {{trusted.certificate_pem, client_.certificate_pem,
             client_.private_key_pem, ""},
            true};
  }
  TlsClient Manual(const KeyPair& trusted) const {
    TlsClient client = Pinned(trusted);
    client.is_pinned = false;
    return client;
  }

  const KeyPair client_ = MakeCertificate({});
  const KeyPair server_ = MakeCertificate({});
};

TEST_F(TlsHandshakeTest, AServerThatSpeaksHttp2) {
  EXPECT_EQ(Run(Pinned(server_), server_), HandshakeResult::kAccepted);
  EXPECT_EQ(Run(Manual(server_), server_), HandshakeResult::kAccepted);
  EXPECT_EQ(Run(
                Manual(server_), server_, [](SSL_CTX*) {}, 1),
            HandshakeResult::kAccepted);
  // With nothing to show.
  EXPECT_EQ(Run({{server_.certificate_pem, "", "", ""}}, server_),
            HandshakeResult::kAccepted);
}

TEST_F(TlsHandshakeTest, AnotherThanTheTrustedOne) {
  const KeyPair other = MakeCertificate({});
  EXPECT_EQ(Run(Pinned(server_), other), HandshakeResult::kUntrusted);
  EXPECT_EQ(Run(Manual(server_), other), HandshakeResult::kUntrusted);
}

// AutoMTLS does not look at the clock, a library's verification does.
TEST_F(TlsHandshakeTest, OneThatHasEnded) {
  CertificateSpec spec;
  spec.not_before = absl::Now() - absl::Hours(48);
  spec.not_after = absl::Now() - absl::Hours(24);
  const KeyPair old = MakeCertificate(spec);
  EXPECT_EQ(Run(Pinned(old), old), HandshakeResult::kAccepted);
  EXPECT_EQ(Run(Manual(old), old), HandshakeResult::kUntrusted);
}

TEST_F(TlsHandshakeTest, AnotherName) {
  CertificateSpec spec;
  spec.subject_alt_name = "DNS:plugin.example";
  spec.common_name = "plugin.example";
  const KeyPair named = MakeCertificate(spec);
  TlsClient client = Manual(named);
  EXPECT_EQ(Run(client, named), HandshakeResult::kWrongName);
  client.tls.server_name = "plugin.example";
  EXPECT_EQ(Run(client, named), HandshakeResult::kAccepted);
}

TEST_F(TlsHandshakeTest, NoHttp2) {
  EXPECT_EQ(Run(Pinned(server_), server_,
                [](SSL_CTX* context) {
                  SSL_CTX_set_alpn_select_cb(context, nullptr, nullptr);
                }),
            HandshakeResult::kNoHttp2);
  EXPECT_EQ(Run(Pinned(server_), server_,
                [](SSL_CTX* context) {
                  SSL_CTX_set_alpn_select_cb(context, RefuseProtocols, nullptr);
                }),
            HandshakeResult::kNoHttp2);
}

// It wants a certificate, and trusts nobody's; in TLS 1.3 it says so last.
TEST_F(TlsHandshakeTest, AServerThatRefusesUs) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(Run(Pinned(server_), server_,
                  [version](SSL_CTX* context) {
                    SSL_CTX_set_verify(
                        context,
                        SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                        nullptr);
                    SSL_CTX_set_max_proto_version(context, version);
                  }),
              HandshakeResult::kRefusedUs);
  }
}

TEST_F(TlsHandshakeTest, NoVersionInCommon) {
  EXPECT_EQ(Run(Pinned(server_), server_,
                [](SSL_CTX* context) {
                  SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
                  SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
                  SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
                }),
            HandshakeResult::kNothingInCommon);
}

// As of a server of TLS 1.2 that does not know the name, and goes on.
TEST_F(TlsHandshakeTest, AWarningIsNotWhatEndsIt) {
  constexpr absl::string_view kUnrecognizedName("\x15\x03\x03\0\2\1\x70", 7);
  std::string tls_1_0("\x16\x03\x01\0\x2a\2\0\0\x26\x03\x01", 11);
  tls_1_0.append(32, 'r');
  // No session, a cipher, no compression.
  tls_1_0.append("\0\0\x2f\0", 4);
  TlsHandshake handshake(Pinned(server_));
  handshake.Feed(kUnrecognizedName);
  EXPECT_EQ(handshake.result(), HandshakeResult::kUnfinished);
  handshake.Feed(tls_1_0);
  EXPECT_EQ(handshake.result(), HandshakeResult::kNothingInCommon);
}

TEST_F(TlsHandshakeTest, OneThatEndsOrStops) {
  TlsHandshake handshake(Pinned(server_));
  Server server(server_, [](SSL_CTX*) {});
  const std::string answer = server.Answer(handshake.TakeOutput());
  handshake.Feed(answer.substr(0, answer.size() / 2));
  EXPECT_EQ(handshake.result(), HandshakeResult::kUnfinished);
  handshake.End();
  EXPECT_EQ(handshake.result(), HandshakeResult::kRefusedUs);
  // What comes later changes nothing.
  handshake.Feed(answer.substr(answer.size() / 2));
  EXPECT_EQ(handshake.result(), HandshakeResult::kRefusedUs);
}

TEST_F(TlsHandshakeTest, Noise) {
  TlsHandshake handshake(Pinned(server_));
  handshake.Feed(std::string("\x16\x03\x03\x00\x05hello", 10));
  EXPECT_EQ(handshake.result(), HandshakeResult::kOther);
}

TEST_F(TlsHandshakeTest, CertificatesThatCantBeRead) {
  TlsClient client = Pinned(server_);
  client.tls.private_key = "no key";
  TlsHandshake handshake(client);
  EXPECT_EQ(handshake.TakeOutput(), "");
  handshake.Feed("bytes");
  handshake.End();
  EXPECT_EQ(handshake.result(), HandshakeResult::kUnfinished);
}

}  // namespace
}  // namespace goplugin::internal
