#include "goplugin/internal/files/output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/files/file_error.h"

namespace goplugin::internal {
namespace {

constexpr int kAppend = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY;

// A host without stdio of its own is handed their numbers.
UniqueFd AboveStdio(UniqueFd fd) {
  if (!fd.valid() || fd.get() > 2) return fd;
  return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

// The same file once more, with a position of its own.
UniqueFd OpenAgain(const UniqueFd& file, int flags) {
  const std::string itself = absl::StrCat("/proc/self/fd/", file.get());
  return AboveStdio(UniqueFd(open(itself.c_str(), flags | O_NONBLOCK)));
}

// Not every file system has files without a name from the start.
UniqueFd MakeNameless(const Directory& directory) {
  UniqueFd file(openat(directory.fd(), ".", O_TMPFILE | kAppend, 0600));
  if (file.valid() || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
  const std::string name = RandomName("o");
  file.reset(openat(directory.fd(), name.c_str(),
                    O_CREAT | O_EXCL | O_NOFOLLOW | kAppend, 0600));
  if (file.valid()) unlinkat(directory.fd(), name.c_str(), 0);
  return file;
}

absl::StatusOr<FollowedFile> MakeStdoutFile(const Directory& directory) {
  FollowedFile file;
  file.append = AboveStdio(MakeNameless(directory));
  if (!file.append.valid()) {
    return FileError("making a file for the plugin's output in",
                     directory.path(), errno);
  }
  // The umask may have taken the owner's rights.
  fchmod(file.append.get(), 0600);
  file.read = OpenAgain(file.append, O_RDONLY | O_CLOEXEC);
  if (!file.read.valid()) {
    return ProcFileError("reading the plugin's output in", directory.path(),
                         errno);
  }
  return file;
}

absl::Status StderrError(const std::string& path, const std::string& problem) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = "the file for the plugin's output can't be opened";
  details.evidence = {absl::StrCat(Quote(path), ": ", problem)};
  details.hint =
      "give Command::stderr_file a file that this user may read and append "
      "to, in a directory that exists";
  return MakeError(details);
}

// What else it is than a file that takes everything at once; "" for that.
std::string KindOfOther(const UniqueFd& file) {
  struct stat found;
  if (fstat(file.get(), &found) != 0) return std::strerror(errno);
  if (S_ISREG(found.st_mode)) return "";
  if (S_ISDIR(found.st_mode)) return "it is a directory";
  if (S_ISFIFO(found.st_mode)) return "it is a FIFO, not a file";
  if (S_ISSOCK(found.st_mode)) return "it is a socket, not a file";
  const dev_t null_device = makedev(1, 3);
  if (S_ISCHR(found.st_mode) && found.st_rdev == null_device) return "";
  return "it is a device, not a file";
}

// Opening a FIFO may wait for ever, and opening a device do anything: so it is
// looked at first, and what was looked at is what is opened.
UniqueFd OpenToAppend(const std::string& path, std::string* problem) {
  const UniqueFd found(open(path.c_str(), O_PATH | O_CLOEXEC));
  UniqueFd file;
  if (found.valid()) {
    *problem = KindOfOther(found);
    if (!problem->empty()) return {};
    file = OpenAgain(found, kAppend);
  } else if (errno == ENOENT) {
    file.reset(open(path.c_str(), kAppend | O_CREAT | O_NONBLOCK, 0600));
  }
  if (!file.valid()) {
    *problem = std::strerror(errno);
    return {};
  }
  // Somebody else may have been quicker in making it.
  *problem = KindOfOther(file);
  return problem->empty() ? AboveStdio(std::move(file)) : UniqueFd();
}

absl::StatusOr<FollowedFile> OpenStderrFile(const std::string& path) {
  FollowedFile file;
  std::string problem;
  file.append = OpenToAppend(path, &problem);
  if (!file.append.valid()) return StderrError(path, problem);
  file.read = OpenAgain(file.append, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (!file.read.valid()) return StderrError(path, std::strerror(errno));
  lseek(file.read.get(), 0, SEEK_END);
  // It is the plugin's soon, which expects its descriptors to be as usual.
  fcntl(file.append.get(), F_SETFL, O_APPEND);
  return file;
}

}  // namespace

absl::StatusOr<OutputFiles> OpenOutputFiles(const Directory& directory,
                                            const std::string& stderr_path) {
  OutputFiles files;
  absl::StatusOr<FollowedFile> stderr_file =
      OpenStderrFile(stderr_path.empty() ? "/dev/null" : stderr_path);
  if (!stderr_file.ok()) return stderr_file.status();
  absl::StatusOr<FollowedFile> stdout_file = MakeStdoutFile(directory);
  if (!stdout_file.ok()) return stdout_file.status();
  files.stdout_file = *std::move(stdout_file);
  files.stderr_file = *std::move(stderr_file);
  return files;
}

}  // namespace goplugin::internal
