#ifndef GOPLUGIN_INTERNAL_FILES_MARK_H_
#define GOPLUGIN_INTERNAL_FILES_MARK_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "goplugin/internal/files/directory.h"

namespace goplugin::internal {

// What an outer directory says, in a file, of a plugin that may outlive its
// host. Nobody but the directory's owner can write it.
struct Mark {
  // The plugin; 0 while it is being started, or where it is not known.
  pid_t pid = 0;
  // When it started: field 22 of /proc/PID/stat; 0 when it is not known.
  std::uint64_t start_time = 0;
};

// Replaces the one that is there, if any. The text names the pid namespace too,
// without which a number says nothing. Errors: kTransport.
absl::Status WriteMark(const Directory& outer, const Mark& mark);

// nullopt when there is none.
absl::optional<Mark> ReadMark(const Directory& outer);

// Whether there is a mark whose plugin may be alive. Yes in doubt: without a
// number, in another pid namespace, or where /proc does not tell.
bool MarkMayLive(const Directory& outer);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_MARK_H_
