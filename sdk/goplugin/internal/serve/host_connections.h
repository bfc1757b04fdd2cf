#ifndef GOPLUGIN_INTERNAL_SERVE_HOST_CONNECTIONS_H_
#define GOPLUGIN_INTERNAL_SERVE_HOST_CONNECTIONS_H_

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The name that a socket is bound to, in the kernel's form: of a connection
// that was accepted, its listener's. "" for none.
std::string SocketName(int socket);

// A plugin may be its own client, for a look at its health: of a unix socket
// the kernel tells.
bool IsOfThisProcess(int connection);

// The connections of this process that were accepted at the listener of that
// name, whose other end is open, and another process's. gRPC owns them and does
// not tell: the kernel is asked. What is given are duplicates, and each becomes
// ready (POLLRDHUP, POLLHUP) when either side has ended it. nullopt when it
// can't be asked, without descriptors for one.
absl::optional<std::vector<UniqueFd>> HostConnections(
    const std::string& listener);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_HOST_CONNECTIONS_H_
