#include "goplugin/internal/tls/probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/certificate.h"
#include "goplugin/internal/tls/openssl.h"
#include "goplugin/internal/tls/socket_address.h"

namespace goplugin::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr absl::Duration kLongest = absl::Seconds(10);
// Enough to tell every kind.
constexpr size_t kEnough = 9;

class Socket {
 public:
  explicit Socket(int family)
      : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status ConnectError(const Endpoint& endpoint, int error) {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what =
      absl::StrCat("could not connect to ", Quote(endpoint.ToString()));
  details.evidence = {
      absl::StrCat(std::strerror(error), " (errno ", error, ")")};
  switch (error) {
    case ECONNREFUSED:
      details.hint =
          "nobody listens there: the plugin closed its listener, or has ended";
      break;
    case ENOENT:
      details.hint =
          "the socket is gone: the plugin removed it, or announced a path of "
          "another mount namespace (a container)";
      break;
    case EACCES:
    case EPERM:
      details.hint =
          "this user may not connect: look at the mode and the owner of the "
          "socket and of its directory";
      break;
    case ETIMEDOUT:
      details.hint =
          "nobody accepts the connection: the plugin hangs, or a "
          "firewall drops it";
      break;
    default:
      details.hint = "check the address in the plugin's handshake line";
      break;
  }
  return MakeError(details);
}

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

// Waits until `events` or the deadline. False: the deadline passed.
bool Wait(int fd, decltype(pollfd::events) events, Clock::time_point deadline) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd entry = {fd, events, 0};
    const int ready =
        poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
}

// 0, or an errno.
int Connect(int fd, const SocketAddress& address, Clock::time_point deadline) {
  if (connect(fd, address.get(), address.length) == 0) return 0;
  // EINTR on a socket that does not block: the connect goes on, too.
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!Wait(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

WireKind Answer(int fd, Clock::time_point deadline) {
  const std::string hello = ClientHello();
  // A server that has hung up already may still have said something.
  (void)send(fd, hello.data(), hello.size(), MSG_NOSIGNAL);
  std::string bytes;
  while (Wait(fd, POLLIN, deadline)) {
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
  const Clock::time_point deadline =
      Clock::now() + absl::ToChronoMilliseconds(bounded);
  const absl::StatusOr<std::vector<SocketAddress>> addresses =
      SocketAddresses(endpoint);
  if (!addresses.ok()) return addresses.status();
  int error = ECONNREFUSED;
  for (const SocketAddress& address : *addresses) {
    const Socket socket(address.get()->sa_family);
    error = socket.fd() < 0 ? errno : Connect(socket.fd(), address, deadline);
    if (error == 0) return Answer(socket.fd(), deadline);
  }
  return ConnectError(endpoint, error);
}

}  // namespace goplugin::internal
