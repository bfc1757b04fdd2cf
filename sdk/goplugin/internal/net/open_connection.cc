#include "goplugin/internal/net/open_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/net/socket_address.h"

namespace goplugin::internal {
namespace {

// 0, or an errno.
int Connect(int descriptor, const SocketAddress& address, SteadyTime deadline) {
  if (connect(descriptor, address.get(), address.length) == 0) return 0;
  // EINTR on a socket that does not block: the connect goes on, too.
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!WaitForEvents(descriptor, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    return errno;
  }
  return error;
}

}  // namespace

bool WaitForEvents(int descriptor, decltype(pollfd::events) events,
                   SteadyTime deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd entry = {descriptor, events, 0};
    const int ready =
        poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
}

absl::StatusOr<UniqueFd> OpenConnection(const Endpoint& endpoint,
                                        SteadyTime deadline) {
  const absl::StatusOr<std::vector<SocketAddress>> addresses =
      SocketAddresses(endpoint);
  if (!addresses.ok()) return addresses.status();
  int error = ECONNREFUSED;
  for (const SocketAddress& address : *addresses) {
    UniqueFd connection(socket(address.get()->sa_family,
                               SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = connection.valid() ? Connect(connection.get(), address, deadline)
                               : errno;
    if (error == 0) return connection;
  }
  return ConnectError(endpoint, error);
}

absl::Status ConnectError(const Endpoint& endpoint, int error_number) {
  ErrorDetails details;
  details.reason = Reason::kConnect;
  details.what =
      absl::StrCat("could not connect to ", Quote(endpoint.ToString()));
  details.evidence = {
      absl::StrCat(std::strerror(error_number), " (errno ", error_number, ")")};
  switch (error_number) {
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

}  // namespace goplugin::internal
