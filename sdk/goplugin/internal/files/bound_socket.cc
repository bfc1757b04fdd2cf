#include "goplugin/internal/files/bound_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/files/file_error.h"

namespace goplugin::internal {
namespace {

// 0, or the errno.
int Bind(int fd, const std::string& path) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return bind(fd, reinterpret_cast<struct sockaddr*>(&address),
              sizeof(address)) == 0
             ? 0
             : errno;
}

// The socket's file, not what others may put in its place: in a directory that
// is a plugin's the name may be anybody's by now. Nothing but a socket of this
// user's with the mode it was made with is touched.
int OpenTo(const Directory& directory, const std::string& name, mode_t mode,
           absl::optional<gid_t> group) {
  const UniqueFd file(
      openat(directory.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  if (!file.valid() || fstat(file.get(), &found) != 0) return errno;
  if (!S_ISSOCK(found.st_mode) || found.st_uid != geteuid() ||
      (found.st_mode & 0777) != 0 || found.st_nlink != 1) {
    return ESTALE;
  }
  if (group.has_value() && fchownat(file.get(), "", static_cast<uid_t>(-1),
                                    *group, AT_EMPTY_PATH) != 0) {
    return errno;
  }
  const std::string itself = absl::StrCat("/proc/self/fd/", file.get());
  return chmod(itself.c_str(), mode) == 0 ? 0 : errno;
}

}  // namespace

absl::StatusOr<UniqueFd> BindSocket(const Directory& directory,
                                    const std::string& name, mode_t mode,
                                    absl::optional<gid_t> group) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return FileError("making a socket in", directory.path(), errno);
  }
  // The socket's file takes this mode, less the umask.
  int error_number = fchmod(fd.get(), 0) == 0
                         ? Bind(fd.get(), directory.BindPath(name))
                         : errno;
  if (error_number != 0) {
    return ProcFileError("binding the socket", directory.PathOf(name),
                         error_number);
  }
  error_number = OpenTo(directory, name, mode, group);
  if (error_number == 0) return fd;
  if (error_number != ESTALE) directory.Unlink(name).IgnoreError();
  return ProcFileError("opening to others the socket", directory.PathOf(name),
                       error_number);
}

}  // namespace goplugin::internal
