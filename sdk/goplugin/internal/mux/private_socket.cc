#include "goplugin/internal/mux/private_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// gRPC opens one connection per door, and another one after it was lost.
constexpr int kQueue = 64;

absl::optional<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  if (path.size() >= sizeof address.sun_path) return absl::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
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

absl::StatusOr<UniqueFd> ListenAt(const std::string& path) {
  const absl::optional<sockaddr_un> address = AddressOf(path);
  UniqueFd listener = MakeSocket();
  if (!address.has_value()) errno = ENAMETOOLONG;
  if (address.has_value() && listener.valid() &&
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address),
           sizeof *address) == 0 &&
      listen(listener.get(), kQueue) == 0) {
    return listener;
  }
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("can't listen on ", Quote(path));
  details.evidence = {strerror(errno)};
  details.hint = "multiplexing needs private sockets between gRPC and the SDK";
  return MakeError(details);
}

UniqueFd ConnectTo(const std::string& path) {
  const absl::optional<sockaddr_un> address = AddressOf(path);
  UniqueFd connection = MakeSocket();
  if (address.has_value() && connection.valid() &&
      connect(connection.get(), reinterpret_cast<const sockaddr*>(&*address),
              sizeof *address) == 0) {
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
