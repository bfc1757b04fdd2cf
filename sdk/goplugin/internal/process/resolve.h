#ifndef GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_
#define GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"

namespace goplugin::internal {

// The file that `command` names: absolute, or relative to the caller's
// directory, where a child without a working directory of its own starts.
// Whether the file exists is left to exec, except for a search in PATH. Errors:
// kSpawn.
absl::StatusOr<std::string> ResolveProgram(const Command& command,
                                           const CallerContext& caller);

// The first executable file `name` in the caller's PATH. Entries that are not
// absolute are passed over: what is found must not depend on where the host
// happens to stand.
absl::optional<std::string> FindInPath(const CallerContext& caller,
                                       const std::string& name);

// The host's current directory, "" if it is gone.
std::string CurrentDirectory();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_
