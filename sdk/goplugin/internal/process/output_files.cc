#include "goplugin/internal/process/output_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// A host without stdio of its own is handed their numbers.
UniqueFd OpenAboveStdio(const std::string& path, int flags) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd.valid() || fd.get() > 2) return fd;
  return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

absl::StatusOr<FollowedFile> Open(const std::string& path, Reason reason,
                                  std::string hint) {
  FollowedFile file;
  file.append = OpenAboveStdio(path, O_WRONLY | O_APPEND | O_CREAT);
  if (file.append.valid()) file.read = OpenAboveStdio(path, O_RDONLY);
  if (!file.read.valid()) {
    ErrorDetails details;
    details.reason = reason;
    details.what = "the file for the plugin's output can't be opened";
    details.evidence = {absl::StrCat(Quote(path), ": ", std::strerror(errno))};
    details.hint = std::move(hint);
    return MakeError(details);
  }
  lseek(file.read.get(), 0, SEEK_END);
  return file;
}

}  // namespace

absl::StatusOr<OutputFiles> OpenOutputFiles(const std::string& directory,
                                            const std::string& stderr_path) {
  const std::string stdout_path = absl::StrCat(directory, "/stdout");
  absl::StatusOr<FollowedFile> stdout_file =
      Open(stdout_path, Reason::kTransport,
           "check the space left where the socket directory is, and the limit "
           "of open files (ulimit -n)");
  if (!stdout_file.ok()) return stdout_file.status();
  absl::StatusOr<FollowedFile> stderr_file =
      Open(stderr_path.empty() ? "/dev/null" : stderr_path, Reason::kOptions,
           "give Command::stderr_file a file that this user may read and "
           "append to, in a directory that exists");
  if (!stderr_file.ok()) return stderr_file.status();
  // The plugin's descriptor is all that is needed: gone with the plugin.
  unlink(stdout_path.c_str());
  OutputFiles files;
  files.stdout_file = *std::move(stdout_file);
  files.stderr_file = *std::move(stderr_file);
  return files;
}

}  // namespace goplugin::internal
