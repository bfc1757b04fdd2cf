#include "goplugin/internal/serve/port_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

absl::StatusOr<int> WalkPorts(
    int min_port, int max_port,
    absl::FunctionRef<absl::StatusOr<int>(int port)> bind) {
  for (int port = min_port; port <= max_port; ++port) {
    absl::StatusOr<int> taken = bind(port);
    if (!taken.ok() || *taken > 0) return taken;
  }
  return MakeError(
      Reason::kTransport,
      absl::StrCat("no port of 127.0.0.1 from ", min_port, " to ", max_port,
                   " can be served on"),
      "let the host allow more ports (PLUGIN_MIN_PORT, PLUGIN_MAX_PORT), or "
      "end programs that hold these");
}

UniqueFd BindPort(int port) {
  UniqueFd bound(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(bound.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(bound.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof address) != 0) {
    bound.reset();
  }
  return bound;
}

}  // namespace goplugin::internal
