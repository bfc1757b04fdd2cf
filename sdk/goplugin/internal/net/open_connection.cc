#include "goplugin/internal/net/open_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
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

// "socket, mode 0755, owner 0:0".
std::string Described(absl::string_view what, const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) {
    return absl::StrCat(what, " ", Quote(path), ": ", std::strerror(errno));
  }
  return absl::StrFormat("%s %s: mode %04o, owner %d:%d", what, Quote(path),
                         file.st_mode & 07777, file.st_uid, file.st_gid);
}

absl::Status NotAllowed(const Endpoint& endpoint, int error_number) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what =
      absl::StrCat("this host may not connect to ", Quote(endpoint.ToString()));
  details.evidence = {
      absl::StrCat(std::strerror(error_number), " (errno ", error_number, ")")};
  const size_t slash = endpoint.address.rfind('/');
  if (endpoint.network == Endpoint::Network::kUnix &&
      slash != std::string::npos) {
    details.evidence.push_back(Described("socket", endpoint.address));
    details.evidence.push_back(Described(
        "directory", endpoint.address.substr(0, std::max<size_t>(slash, 1))));
  }
  details.evidence.push_back(
      absl::StrCat("the host is user ", geteuid(), ", group ", getegid()));
  details.hint =
      "it takes write permission on the socket, and search permission on the "
      "directories. A plugin that changes its user (sudo, setpriv, gosu, a "
      "setuid program) makes a socket of its own: let the host change it by "
      "Command::user, or let both use the group of ClientOptions::socket_group";
  return MakeError(details);
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
  if (error_number == EACCES || error_number == EPERM) {
    return NotAllowed(endpoint, error_number);
  }
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
