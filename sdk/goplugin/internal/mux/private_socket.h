#ifndef GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
#define GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_

#include <functional>

#include "absl/status/statusor.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Unix sockets that don't block, for this process alone.

// A socket that listens, and its file, which has no name any more: it can be
// connected to by way of this process's /proc/self/fd, which others may not
// look into, and leaves nothing behind, wherever its directory goes.
struct DoorSocket {
  UniqueFd listener;
  UniqueFd place;
};
using MakeDoorSocket = std::function<absl::StatusOr<DoorSocket>()>;

// Makes one in `directory`, which must be this user's alone: for a moment it
// has a name there. kTransport when that can't be. Blocks as the file system
// does.
absl::StatusOr<DoorSocket> MakeDoorSocketIn(const Directory& directory);

// The next connection, invalid when there is none. Others than this process's
// are closed, and counted in `strangers`.
UniqueFd AcceptOwn(int listener, int* strangers);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
