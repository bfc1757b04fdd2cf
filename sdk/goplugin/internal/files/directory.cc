#include "goplugin/internal/files/directory.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/files/file_error.h"

namespace goplugin::internal {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// As many names as there are make it all but impossible to need a second.
constexpr int kMaxNames = 100;

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string Join(const std::string& directory, const std::string& name) {
  return absl::StrCat(directory == "/" ? "" : directory, "/", name);
}

// What was just made, not what somebody put in its place: it is this user's
// and empty.
int CheckJustMade(int fd) {
  struct stat made;
  if (fstat(fd, &made) != 0) return errno;
  constexpr nlink_t kWithoutSubdirectories = 2;
  // Some file systems count no links of directories: always 1.
  const bool is_new = made.st_uid == geteuid() &&
                      made.st_nlink <= kWithoutSubdirectories &&
                      (made.st_mode & 077) == 0;
  return is_new ? 0 : ESTALE;
}

// Opens what was made, whatever the umask has left of its mode: it may have
// taken even the owner's own rights. 0, or the errno.
int OpenJustMade(int parent, const char* name, UniqueFd* made) {
  made->reset(openat(parent, name, kOpenFlags));
  if (made->valid()) return CheckJustMade(made->get());
  if (errno != EACCES) return errno;
  const UniqueFd closed(openat(parent, name, kOpenFlags | O_PATH));
  const int error_number = closed.valid() ? CheckJustMade(closed.get()) : errno;
  if (error_number != 0) return error_number;
  const std::string itself = absl::StrCat("/proc/self/fd/", closed.get());
  if (chmod(itself.c_str(), kUnfinishedMode) != 0) return errno;
  made->reset(openat(closed.get(), ".", kOpenFlags));
  return made->valid() ? 0 : errno;
}

// 0, or the errno; nothing is left then.
int Make(int parent, const std::string& name, UniqueFd* made) {
  if (mkdirat(parent, name.c_str(), kUnfinishedMode) != 0) return errno;
  const int error_number = OpenJustMade(parent, name.c_str(), made);
  // A sweep was quicker (sweep.h): another name, as if it were taken.
  if (error_number == ENOENT) return EEXIST;
  if (error_number != 0 && error_number != ESTALE) {
    unlinkat(parent, name.c_str(), AT_REMOVEDIR);
  }
  return error_number;
}

}  // namespace

std::string RandomName(const std::string& prefix) {
  constexpr char kLetters[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr int kLength = 6;
  std::uint64_t random = 0;
  // Can't fail for so few bytes, but before the pool is filled at boot.
  static_cast<void>(!getrandom(&random, sizeof random, GRND_NONBLOCK));
  std::string name = prefix;
  for (int i = 0; i < kLength; ++i) {
    name += kLetters[random % (sizeof(kLetters) - 1)];
    random /= sizeof(kLetters) - 1;
  }
  return name;
}

absl::StatusOr<Directory> Directory::Open(std::string path) {
  UniqueFd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FileError("opening the directory", path, errno);
  return Directory(std::move(fd), WithoutTrailingSlashes(std::move(path)));
}

absl::StatusOr<Directory> Directory::MakeDirectory(const std::string& name,
                                                   mode_t mode) const {
  UniqueFd made;
  const int error_number = Make(fd(), name, &made);
  if (error_number != 0) {
    return ProcFileError("making the directory", PathOf(name), error_number);
  }
  return WithMode(std::move(made), name, mode);
}

absl::StatusOr<Directory> Directory::MakeUniqueDirectory(
    const std::string& prefix, mode_t mode) const {
  UniqueFd made;
  std::string name;
  int error_number = EEXIST;
  for (int i = 0; i < kMaxNames && error_number == EEXIST; ++i) {
    name = RandomName(prefix);
    error_number = Make(fd(), name, &made);
  }
  if (error_number != 0) {
    return ProcFileError("making a directory in", path_, error_number);
  }
  return WithMode(std::move(made), name, mode);
}

absl::StatusOr<Directory> Directory::WithMode(UniqueFd made,
                                              const std::string& name,
                                              mode_t mode) const {
  Directory result(std::move(made), PathOf(name));
  const absl::Status set = result.SetMode(mode);
  if (set.ok()) return result;
  unlinkat(fd(), name.c_str(), AT_REMOVEDIR);
  return set;
}

absl::StatusOr<Directory> Directory::OpenDirectory(
    const std::string& name) const {
  UniqueFd opened(openat(fd(), name.c_str(), kOpenFlags));
  if (!opened.valid()) {
    return FileError("opening the directory", PathOf(name), errno);
  }
  return Directory(std::move(opened), PathOf(name));
}

std::string Directory::PathOf(const std::string& name) const {
  return Join(path_, name);
}

std::string Directory::BindPath(const std::string& name) const {
  return absl::StrCat("/proc/self/fd/", fd(), "/", name);
}

absl::Status Directory::SetMode(mode_t mode) const {
  // fchmod does not take what was opened with O_PATH.
  const std::string itself = absl::StrCat("/proc/self/fd/", fd());
  if (fchmod(fd(), mode) == 0 || chmod(itself.c_str(), mode) == 0) {
    return absl::OkStatus();
  }
  return ProcFileError("setting the mode of", path_, errno);
}

absl::Status Directory::SetOwner(uid_t uid, gid_t gid) const {
  if (fchownat(fd(), "", uid, gid, AT_EMPTY_PATH) == 0) {
    return absl::OkStatus();
  }
  return FileError("changing the owner of", path_, errno);
}

absl::Status Directory::Unlink(const std::string& name) const {
  if (unlinkat(fd(), name.c_str(), 0) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return FileError("removing", PathOf(name), errno);
}

absl::Status Directory::RemoveDirectory(const std::string& name) const {
  if (unlinkat(fd(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return FileError("removing the directory", PathOf(name), errno);
}

bool Directory::IsAtItsPath() const {
  struct stat held;
  struct stat named;
  return fstat(fd(), &held) == 0 && stat(path_.c_str(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace goplugin::internal
