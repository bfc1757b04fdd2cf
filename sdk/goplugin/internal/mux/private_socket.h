#ifndef GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
#define GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A unix socket at `path`, which is to be in a private directory, that listens
// and does not block. kTransport when that can't be.
absl::StatusOr<UniqueFd> ListenAt(const std::string& path);

// A connection to the unix socket at `path`, invalid when there is none to be
// had without waiting.
UniqueFd ConnectTo(const std::string& path);

// The next connection, invalid when there is none. Others than this process's
// are closed, and counted in `strangers`.
UniqueFd AcceptOwn(int listener, int* strangers);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
