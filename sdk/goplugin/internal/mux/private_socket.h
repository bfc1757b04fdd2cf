#ifndef GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
#define GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_

#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Unix sockets that don't block. An address is a path, or as the kernel has it
// a zero and the rest of an abstract name.

// A socket that listens at the address `text`. kTransport when that can't be.
absl::StatusOr<UniqueFd> ListenAt(const std::string& text);

// An abstract name that nobody can guess; "" when the kernel has no random
// numbers yet. Such a socket leaves nothing in the
// file system, where a new file can cost more than all the rest of a
// connection; but anybody may connect to it who learns its name.
std::string NewAbstractName();

// A connection to the socket at the address `text`, invalid when there is none
// to be had without waiting.
UniqueFd ConnectTo(const std::string& text);

// The next connection, invalid when there is none. Others than this process's
// are closed, and counted in `strangers`.
UniqueFd AcceptOwn(int listener, int* strangers);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_MUX_PRIVATE_SOCKET_H_
