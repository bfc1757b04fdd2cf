#ifndef GOPLUGIN_INTERNAL_PROCESS_UNIX_SOCKET_H_
#define GOPLUGIN_INTERNAL_PROCESS_UNIX_SOCKET_H_

#include <string>

#include "absl/status/status.h"

namespace goplugin::internal {

// OK if a socket is at `path` (a symbolic link to one will do). Otherwise
// kTransport, with what was found there instead.
absl::Status CheckUnixSocket(const std::string& path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_UNIX_SOCKET_H_
