#include "goplugin/internal/tls/probe.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/net/open_connection.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(10);
// Enough to tell every kind.
constexpr size_t kEnough = 9;

// The first flight of a TLS client, as gRPC would send it.
std::string ClientHello() {
  static constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  ErrorQueueGuard guard;
  const OpensslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return "";
  const OpensslPtr<SSL> ssl(SSL_new(context.get()));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (ssl == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return "";
  }
  SSL_set_bio(ssl.get(), in, out);  // takes both
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof(kAlpn));
  SSL_set_tlsext_host_name(ssl.get(), kServerName);
  SSL_set_connect_state(ssl.get());
  SSL_do_handshake(ssl.get());  // wants to read the answer
  return BioBytes(out);
}

WireKind Answer(int fd, SteadyTime deadline) {
  const std::string hello = ClientHello();
  // A server that has hung up already may still have said something.
  (void)send(fd, hello.data(), hello.size(), MSG_NOSIGNAL);
  std::string bytes;
  while (WaitForEvents(fd, POLLIN, deadline)) {
    char buffer[64];
    const ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return ClassifyFirstBytes(bytes);
    bytes.append(buffer, static_cast<size_t>(count));
    WireKind kind = ClassifyFirstBytes(bytes);
    if (kind.kind != WireKind::Kind::kUnknown || bytes.size() >= kEnough) {
      return kind;
    }
  }
  if (bytes.empty()) return WireKind{WireKind::Kind::kSilent, ""};
  return ClassifyFirstBytes(bytes);
}

}  // namespace

absl::StatusOr<WireKind> ProbeEndpoint(const Endpoint& endpoint,
                                       absl::Duration timeout) {
  const auto bounded =
      std::min(std::max(timeout, absl::ZeroDuration()), kLongest);
  const SteadyTime deadline =
      std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(bounded);
  const absl::StatusOr<UniqueFd> connection =
      OpenConnection(endpoint, deadline);
  if (!connection.ok()) return connection.status();
  return Answer(connection->get(), deadline);
}

}  // namespace goplugin::internal
