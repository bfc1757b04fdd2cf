#ifndef GOPLUGIN_INTERNAL_FILES_OUTPUT_FILES_H_
#define GOPLUGIN_INTERNAL_FILES_OUTPUT_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "goplugin/internal/files/directory.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A file that is appended to by one side and followed by the other, with a
// position for each. Both descriptors are close-on-exec and above 2.
struct FollowedFile {
  UniqueFd append = {};
  // From where the file ended when it was opened.
  UniqueFd read = {};
};

// What a plugin that may outlive its host writes to: files take everything
// whether anybody reads or not, where a pipe ends the writer once its reader is
// gone.
struct OutputFiles {
  FollowedFile stdout_file;
  FollowedFile stderr_file;
};

// stdout is a new file without a name in the file system of `directory`, a
// directory of the host's alone; stderr the file at `stderr_path`, which may be
// a link to one, or /dev/null for "". New files are this user's alone.
//
// What is no regular file (a FIFO, a socket, a terminal) is refused before it
// is opened, so nothing waits. Errors: kOptions for a stderr file that can't be
// used, kTransport for the other.
absl::StatusOr<OutputFiles> OpenOutputFiles(const Directory& directory,
                                            const std::string& stderr_path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_OUTPUT_FILES_H_
