#include "goplugin/internal/tls/probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/tls/credentials.h"
#include "gtest/gtest.h"
#include "tests/unit/tls/error_matchers.h"
#include "tests/unit/tls/test_certificates.h"
#include "tests/unit/tls/test_server.h"

namespace goplugin::internal {
namespace {

using testing::HasSubstr;
using Kind = WireKind::Kind;

constexpr absl::Duration kLong = absl::Seconds(10);

std::string Bytes(const std::vector<int>& values) {
  return std::string(values.begin(), values.end());
}

TEST(ClassifyFirstBytes, KnowsTheProtocols) {
  struct Case {
    std::string bytes;
    Kind kind;
  };
  const std::vector<Case> cases = {
      {"", Kind::kClosed},
      {Bytes({0x16, 3, 3, 0, 100, 2}), Kind::kTls},
      {Bytes({0x16, 3, 1}), Kind::kTls},
      {Bytes({0x15, 3, 1, 0, 2, 2, 40}), Kind::kTls},
      {Bytes({0x16, 3}), Kind::kUnknown},
      {Bytes({0x16, 4, 0, 0, 1}), Kind::kUnknown},
      {Bytes({0x18, 3, 3, 0, 1}), Kind::kUnknown},
      {Bytes({0, 0, 0, 4, 0, 0, 0, 0, 0}), Kind::kHttp2},
      {Bytes({0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3}), Kind::kHttp2},
      {Bytes({0, 0, 8, 7, 0, 0, 0, 0, 0}), Kind::kHttp2},
      {Bytes({0, 0, 18, 4, 0, 0, 0, 0}), Kind::kUnknown},  // half a header
      {Bytes({0, 0, 17, 4, 0, 0, 0, 0, 0}), Kind::kUnknown},
      {Bytes({0, 0, 18, 4, 0, 0, 0, 0, 1}), Kind::kUnknown},
      {Bytes({1, 0, 2, 4, 0, 0, 0, 0, 0}), Kind::kUnknown},
      {Bytes({0, 0, 4, 7, 0, 0, 0, 0, 0}), Kind::kUnknown},
      {Bytes({0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}), Kind::kUnknown},  // yamux
      {"HTTP/1.0 400 Bad Request", Kind::kHttp1},
      {"HTTP/1.", Kind::kHttp1},
      {"HTTP/2", Kind::kUnknown},
      {"hello\n", Kind::kUnknown},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ClassifyFirstBytes(c.bytes).kind, c.kind)
        << testing::PrintToString(c.bytes);
  }
}

TEST(ClassifyFirstBytes, KeepsABoundedPiece) {
  EXPECT_EQ(ClassifyFirstBytes("hello").first_bytes, "hello");
  EXPECT_EQ(ClassifyFirstBytes(std::string(1000, 'x')).first_bytes,
            std::string(64, 'x'));
}

TEST(WireKind, SpeaksToPeople) {
  EXPECT_EQ(ClassifyFirstBytes("HTTP/1.1 400").ToString(),
            "HTTP/1 without TLS");
  EXPECT_EQ(ClassifyFirstBytes("hi\x01").ToString(),
            "bytes of no known protocol: \"hi\\x01\"");
  EXPECT_EQ((WireKind{Kind::kSilent, ""}).ToString(), "nothing");
}

// A listener that says `greeting` to the one peer it accepts and then hangs up,
// or waits for the peer to.
class Talker {
 public:
  enum class Then { kHangUp, kWait };

  Talker(std::string greeting, Then then) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, endpoint().address.c_str());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_EQ(listen(fd_, 8), 0);
    thread_ = std::thread([this, greeting, then] {
      const int peer = accept(fd_, nullptr, nullptr);
      (void)send(peer, greeting.data(), greeting.size(), MSG_NOSIGNAL);
      if (then == Then::kHangUp) shutdown(peer, SHUT_WR);
      char buffer[4096];
      while (recv(peer, buffer, sizeof(buffer), 0) > 0) {
      }
      close(peer);
    });
  }
  ~Talker() {
    thread_.join();
    close(fd_);
  }
  Endpoint endpoint() const {
    return Endpoint{Endpoint::Network::kUnix, directory_.Path("t")};
  }

 private:
  SocketDirectory directory_;
  int fd_ = -1;
  std::thread thread_;
};

Kind KindAt(const Endpoint& endpoint, absl::Duration timeout) {
  const auto kind = ProbeEndpoint(endpoint, timeout);
  EXPECT_TRUE(kind.ok()) << kind.status();
  return kind.ok() ? kind->kind : Kind::kUnknown;
}

TEST(ProbeEndpoint, SeesARealTlsServer) {
  const KeyPair server = MakeCertificate({});
  const auto host = ReadHostCertificate(server.certificate_pem);
  ASSERT_TRUE(host.ok()) << host.status();
  const auto credentials = MakeAutoMtlsServerCredentials(server, *host);
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  TestServer running(*credentials);
  ASSERT_TRUE(running.running());
  EXPECT_EQ(KindAt(running.endpoint(), kLong), Kind::kTls);
}

TEST(ProbeEndpoint, SeesARealPlainServer) {
  TestServer running(grpc::InsecureServerCredentials());
  ASSERT_TRUE(running.running());
  EXPECT_EQ(KindAt(running.endpoint(), kLong), Kind::kHttp2);
}

TEST(ProbeEndpoint, SeesOtherServers) {
  using Then = Talker::Then;
  {
    Talker talker("HTTP/1.0 400 Bad Request\r\n", Then::kWait);
    EXPECT_EQ(KindAt(talker.endpoint(), kLong), Kind::kHttp1);
  }
  {
    Talker talker("220 mail.example ready\r\n", Then::kWait);
    const auto kind = ProbeEndpoint(talker.endpoint(), kLong);
    ASSERT_TRUE(kind.ok()) << kind.status();
    EXPECT_EQ(kind->kind, Kind::kUnknown);
    EXPECT_THAT(kind->ToString(), HasSubstr("220 mail.example"));
  }
  {
    Talker talker("", Then::kHangUp);
    EXPECT_EQ(KindAt(talker.endpoint(), kLong), Kind::kClosed);
  }
  {
    Talker talker("abc", Then::kHangUp);
    EXPECT_EQ(KindAt(talker.endpoint(), kLong), Kind::kUnknown);
  }
  {
    Talker talker("", Then::kWait);
    EXPECT_EQ(KindAt(talker.endpoint(), absl::Milliseconds(1)), Kind::kSilent);
  }
}

// There is no handshake to go on with, and the server has said all it will.
TEST(ProbeEndpoint, EndsWithTheServerWhereTheCertificatesCantBeUsed) {
  Talker talker(Bytes({0x16, 3, 3, 0, 100, 2, 0, 0, 0}), Talker::Then::kHangUp);
  TlsClient client;
  client.tls.root_certificates = client.tls.certificate_chain = "none";
  const absl::Time begun = absl::Now();
  const auto kind = ProbeEndpoint(talker.endpoint(), kLong, client);
  EXPECT_LT(absl::Now() - begun, kLong / 2);
  ASSERT_TRUE(kind.ok()) << kind.status();
  EXPECT_EQ(kind->kind, Kind::kTls);
}

TEST(ProbeEndpoint, SaysWhyNobodyAnswers) {
  SocketDirectory directory;
  const Endpoint gone{Endpoint::Network::kUnix, directory.Path("gone")};
  ExpectError(ProbeEndpoint(gone, kLong).status(), Reason::kConnect,
              "No such file or directory (errno 2)", "the socket is gone");
  Endpoint dead = gone;
  {
    Talker talker("", Talker::Then::kHangUp);
    dead = talker.endpoint();
    EXPECT_EQ(KindAt(dead, kLong), Kind::kClosed);
    // Keeps the socket's file beyond the listener.
    ASSERT_EQ(link(dead.address.c_str(), gone.address.c_str()), 0);
  }
  ExpectError(ProbeEndpoint(gone, kLong).status(), Reason::kConnect,
              "Connection refused", "nobody listens there");
}

// A port nobody can take: bound, and not listening.
class BoundPort {
 public:
  explicit BoundPort(bool listening)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size),
              0);
    port_ = ntohs(address.sin_port);
    if (listening) {
      EXPECT_EQ(listen(fd_, 8), 0);
    }
  }
  ~BoundPort() { close(fd_); }
  Endpoint At(const std::string& host) const {
    return Endpoint{Endpoint::Network::kTcp, absl::StrCat(host, ":", port_)};
  }

 private:
  const int fd_;
  int port_ = 0;
};

TEST(ProbeEndpoint, ConnectsOverTcp) {
  const BoundPort port(/*listening=*/true);
  for (const char* host : {"127.0.0.1", "localhost", ""}) {
    EXPECT_EQ(KindAt(port.At(host), absl::Milliseconds(1)), Kind::kSilent)
        << host;
  }
}

TEST(ProbeEndpoint, SaysThatATcpPortIsClosed) {
  const BoundPort port(/*listening=*/false);
  ExpectError(ProbeEndpoint(port.At("127.0.0.1"), kLong).status(),
              Reason::kConnect, "Connection refused", "nobody listens there");
}

TEST(ProbeEndpoint, RefusesAddressesItCantUse) {
  const auto probe = [](Endpoint::Network network, const std::string& address) {
    return ProbeEndpoint(Endpoint{network, address}, kLong).status();
  };
  constexpr auto kTcp = Endpoint::Network::kTcp;
  constexpr auto kUnix = Endpoint::Network::kUnix;
  ExpectError(probe(kTcp, "127.0.0.1"), Reason::kConnect, "no port",
              "an IP address with a port");
  ExpectError(probe(kTcp, "no.such.host:80"), Reason::kConnect, "Name",
              "an IP address with a port");
  ExpectError(probe(kTcp, "127.0.0.1:http"), Reason::kConnect, "",
              "an IP address with a port");
  ExpectError(probe(kUnix, std::string(108, 'x')), Reason::kConnect,
              "the path has 108 bytes", "at most 107");
  ExpectError(probe(kUnix, ""), Reason::kConnect, "the path has 0 bytes",
              "at most 107");
}

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

TEST(ProbeEndpoint, LeavesNoDescriptorBehind) {
  const BoundPort listening(/*listening=*/true);
  const BoundPort closed(/*listening=*/false);
  const int before = OpenDescriptors();
  (void)ProbeEndpoint(listening.At("127.0.0.1"), absl::Milliseconds(1));
  (void)ProbeEndpoint(closed.At("127.0.0.1"), absl::Milliseconds(1));
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace goplugin::internal
