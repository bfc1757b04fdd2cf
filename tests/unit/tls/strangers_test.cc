// Those who come to a connection without being whom it trusts, with
// certificates that no TLS library would make for them.

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/credentials.h"
#include "goplugin/internal/tls/openssl.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/test_certificates.h"
#include "tests/unit/tls/test_server.h"

namespace goplugin::internal {
namespace {

// Names that gRPC, 1.51 and 1.83, can't read, and ends the process for: an IP
// address of five bytes, alone and behind a good name.
constexpr const char* kUnreadable[] = {
    "DER:300787050102030405",
    "DER:301282096c6f63616c686f737487050102030405",
};

KeyPair WithNames(const char* names) {
  CertificateSpec spec;
  spec.subject_alt_name = names;
  return MakeCertificate(spec);
}

KeyPair OneTime() {
  auto pair = GenerateOneTimeCertificate();
  EXPECT_TRUE(pair.ok()) << pair.status();
  return pair.ok() ? *pair : KeyPair();
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// OpenSSL alone, which shows any certificate and believes any.
OpensslPtr<SSL_CTX> Context(const KeyPair& shown) {
  OpensslPtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const auto certificate_bytes = ReadBio(shown.certificate_pem);
  const OpensslPtr<X509> certificate(
      PEM_read_bio_X509(certificate_bytes.get(), nullptr, nullptr, nullptr));
  const auto key_bytes = ReadBio(shown.private_key_pem);
  const OpensslPtr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(key_bytes.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(SSL_CTX_use_certificate(context.get(), certificate.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key.get()), 1);
  return context;
}

// Until the other side closes.
void ReadOut(SSL* ssl) {
  char buffer[4096];
  while (SSL_read(ssl, buffer, sizeof buffer) > 0) {
  }
}

void ComeAsAClient(const std::string& path, const KeyPair& shown) {
  const OpensslPtr<SSL_CTX> context = Context(shown);
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof kHttp2);
  const OpensslPtr<SSL> ssl(SSL_new(context.get()));
  const UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(path);
  ASSERT_EQ(
      connect(connection.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof address),
      0);
  SSL_set_fd(ssl.get(), connection.get());
  if (SSL_connect(ssl.get()) == 1) ReadOut(ssl.get());
}

int ChooseHttp2(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                const unsigned char* /*offered*/, unsigned /*offered_size*/,
                void* /*context*/) {
  static const unsigned char kHttp2[] = {'h', '2'};
  *chosen = kHttp2;
  *size = sizeof kHttp2;
  return SSL_TLSEXT_ERR_OK;
}

// Serves one connection after the other.
class FakeServer {
 public:
  explicit FakeServer(const KeyPair& shown)
      : path_(directory_.Path("s")),
        context_(Context(shown)),
        listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SSL_CTX_set_alpn_select_cb(context_.get(), &ChooseHttp2, nullptr);
    const sockaddr_un address = AddressOf(path_);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address),
              0);
    EXPECT_EQ(listen(listener_.get(), 8), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  Endpoint endpoint() const { return {Endpoint::Network::kUnix, path_}; }

 private:
  void Serve() {
    for (;;) {
      const UniqueFd connection(
          accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection.valid()) return;
      const OpensslPtr<SSL> ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), connection.get());
      if (SSL_accept(ssl.get()) == 1) ReadOut(ssl.get());
    }
  }

  const SocketDirectory directory_;
  const std::string path_;
  const OpensslPtr<SSL_CTX> context_;
  const UniqueFd listener_;
  std::thread thread_;
};

// OpenSSL writes to connections that the other side has closed.
class StrangersTest : public ::testing::Test {
 protected:
  StrangersTest() { signal(SIGPIPE, SIG_IGN); }
};

TEST_F(StrangersTest, AClientWhoseNamesCantBeReadEndsNoServer) {
  const KeyPair ours = OneTime();
  const KeyPair client = OneTime();
  const auto host = ReadHostCertificate(client.certificate_pem);
  ASSERT_TRUE(host.ok()) << host.status();
  const auto credentials = MakeAutoMtlsServerCredentials(ours, *host);
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  TestServer server(*credentials);
  ASSERT_TRUE(server.running());
  for (const char* names : kUnreadable) {
    ComeAsAClient(server.endpoint().address, WithNames(names));
  }
  // And the right one is served.
  const auto peer = ParsePeerCertificate(ours.certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  const auto right = MakeAutoMtlsChannelCredentials(client, *peer);
  ASSERT_TRUE(right.ok()) << right.status();
  const grpc::Status status = server.Call(*right);
  EXPECT_TRUE(GotThrough(status)) << status.error_message();
}

TEST_F(StrangersTest, AServerWhoseNamesCantBeReadEndsNoHost) {
  const auto peer = ParsePeerCertificate(OneTime().certificate_der);
  ASSERT_TRUE(peer.ok()) << peer.status();
  for (const char* names : kUnreadable) {
    const FakeServer server(WithNames(names));
    const auto credentials = MakeAutoMtlsChannelCredentials(OneTime(), *peer);
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    const grpc::Status status = CallOver(server.endpoint(), *credentials);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
        << status.error_message();
  }
}

}  // namespace
}  // namespace goplugin::internal
