#include "goplugin/internal/mux/private_socket.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/net/socket_address.h"

namespace goplugin::internal {
namespace {

// gRPC opens one connection per door, and another one after it was lost.
constexpr int kQueue = 64;

// Its length is 0 when `text` is no address.
SocketAddress AddressOf(const std::string& text) {
  const auto addresses = SocketAddresses({Endpoint::Network::kUnix, text});
  return addresses.ok() ? addresses->front() : SocketAddress();
}

UniqueFd MakeSocket() {
  return UniqueFd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool IsOwn(int connection) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.pid == getpid();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenAt(const std::string& text) {
  const SocketAddress address = AddressOf(text);
  UniqueFd listener = MakeSocket();
  if (address.length == 0) errno = EINVAL;
  if (address.length > 0 && listener.valid() &&
      bind(listener.get(), address.get(), address.length) == 0 &&
      listen(listener.get(), kQueue) == 0) {
    return listener;
  }
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("can't listen on the unix socket ", Quote(text));
  details.evidence = {strerror(errno)};
  details.hint =
      "multiplexing needs unix sockets between gRPC and this library: see that "
      "the process may make some";
  return MakeError(details);
}

std::string NewAbstractName() {
  std::array<char, 16> random;
  // So little is never cut short: see getrandom(2).
  if (getrandom(random.data(), random.size(), 0) < 0) return "";
  return absl::StrCat(
      absl::string_view("\0goplugin-", 10),
      absl::BytesToHexString(absl::string_view(random.data(), random.size())));
}

UniqueFd ConnectTo(const std::string& text) {
  const SocketAddress address = AddressOf(text);
  UniqueFd connection = MakeSocket();
  if (address.length > 0 && connection.valid() &&
      connect(connection.get(), address.get(), address.length) == 0) {
    return connection;
  }
  return UniqueFd();
}

UniqueFd AcceptOwn(int listener, int* strangers) {
  while (true) {
    UniqueFd connection(
        accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!connection.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return connection;
    }
    if (IsOwn(connection.get())) return connection;
    ++*strangers;
  }
}

}  // namespace goplugin::internal
