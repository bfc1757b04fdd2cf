#ifndef GOPLUGIN_INTERNAL_FILES_BOUND_SOCKET_H_
#define GOPLUGIN_INTERNAL_FILES_BOUND_SOCKET_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The longest path that a unix socket can have, without the final NUL.
constexpr size_t kMaxSocketPath = 107;

// A stream socket, close-on-exec and non-blocking, bound to a new `name` in
// `directory` and not listening yet. It has just that mode whatever the umask
// is, and the group if one is given; until it has both nobody can connect.
//
// Errors: kTransport; a name that is taken is one, too. Nothing is left then.
absl::StatusOr<UniqueFd> BindSocket(const Directory& directory,
                                    const std::string& name, mode_t mode,
                                    absl::optional<gid_t> group);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_BOUND_SOCKET_H_
