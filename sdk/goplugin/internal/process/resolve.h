#ifndef GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_
#define GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "goplugin/command.h"

namespace goplugin::internal {

// The file that `command` names, in a form that means the same after the child
// has changed to its working directory. Whether the file exists is left to
// exec, except for a search in PATH. Errors: kSpawn.
absl::StatusOr<std::string> ResolveProgram(const Command& command);

// The first executable file `name` in the host's PATH. Entries that are not
// absolute are passed over: what is found must not depend on where the host
// happens to stand. Reads the environment, so no other thread may change it.
absl::optional<std::string> FindInPath(const std::string& name);

// The host's current directory, "" if it is gone.
std::string CurrentDirectory();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_RESOLVE_H_
