#ifndef GOPLUGIN_INTERNAL_PROCESS_OUTPUT_FILES_H_
#define GOPLUGIN_INTERNAL_PROCESS_OUTPUT_FILES_H_

#include <string>

#include "absl/status/statusor.h"
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

// stdout is a new file in `directory`, which loses its name at once; stderr the
// file named, or /dev/null for "". New files are this user's alone. Errors:
// kOptions for a stderr file that can't be opened, kTransport for the other.
absl::StatusOr<OutputFiles> OpenOutputFiles(const std::string& directory,
                                            const std::string& stderr_path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_OUTPUT_FILES_H_
