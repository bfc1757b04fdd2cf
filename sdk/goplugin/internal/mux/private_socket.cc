#include "goplugin/internal/mux/private_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/bound_socket.h"
#include "goplugin/internal/net/peer.h"

namespace goplugin::internal {
namespace {

// gRPC opens one connection per door, and another one after it was lost.
constexpr int kQueue = 64;

absl::Status CantListen(const Directory& directory, int error_number) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("can't listen on a private unix socket in ",
                              Quote(directory.path()));
  details.evidence = {strerror(error_number)};
  details.hint =
      "multiplexing needs unix sockets between gRPC and this library: see that "
      "the process may make some";
  return MakeError(details);
}

bool IsOwn(int connection) {
  const absl::optional<Peer> peer = PeerOf(connection);
  return peer.has_value() && peer->pid == getpid();
}

}  // namespace

absl::StatusOr<DoorSocket> MakeDoorSocketIn(const Directory& directory) {
  const std::string name = RandomName("");
  absl::StatusOr<UniqueFd> bound =
      BindSocket(directory, name, 0600, /*group=*/absl::nullopt);
  if (!bound.ok()) return bound.status();
  DoorSocket door;
  door.listener = *std::move(bound);
  door.place.reset(
      openat(directory.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const int open_error = errno;
  directory.Unlink(name).IgnoreError();
  if (!door.place.valid()) return CantListen(directory, open_error);
  if (listen(door.listener.get(), kQueue) == 0) return door;
  return CantListen(directory, errno);
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
