#ifndef GOPLUGIN_INTERNAL_NET_SOCKET_ADDRESS_H_
#define GOPLUGIN_INTERNAL_NET_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// An address in the kernel's form. A plain value.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

// Where to connect to, in order; at least one. Asks no name server: of names,
// only "localhost" is known. Errors: kConnect.
absl::StatusOr<std::vector<SocketAddress>> SocketAddresses(
    const Endpoint& endpoint);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_NET_SOCKET_ADDRESS_H_
