#ifndef GOPLUGIN_INTERNAL_PROCESS_SOCKET_SWEEP_H_
#define GOPLUGIN_INTERNAL_PROCESS_SOCKET_SWEEP_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"

namespace goplugin::internal {

// Plugins that know nothing of the socket directory leave their sockets
// elsewhere when they are killed. Such a socket is removed only if it is still
// the one that the plugin announced.

// One particular socket file. The time of birth tells it from a later file with
// the same, reused inode number; 0 on file systems that don't keep it.
struct SocketIdentity {
  std::string path = {};
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t birth_ns = 0;
};

// nullopt unless `path` itself, not what a symbolic link points to, is a
// socket.
absl::optional<SocketIdentity> IdentifySocket(const std::string& path);

// Removes the file if it is still the same socket. Failures are ignored.
void UnlinkIfSame(const SocketIdentity& identity);

// OK if a socket is at `path` (a symbolic link to one will do). Otherwise
// kTransport, with what was found there instead.
absl::Status CheckUnixSocket(const std::string& path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SOCKET_SWEEP_H_
