#ifndef GOPLUGIN_INTERNAL_FILES_DIRECTORY_H_
#define GOPLUGIN_INTERNAL_FILES_DIRECTORY_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The mode of a directory between its making and its final mode: nobody else
// makes one like it.
constexpr mode_t kUnfinishedMode = 01700;

// A directory held by its descriptor. Whoever may rename or replace what its
// path leads to can't redirect what is done here: everything goes by the
// descriptor and by single names, and links are not followed.
//
// The object owns the descriptor, not the directory: it removes nothing when it
// goes. Names are single ones, without a slash.
//
// The const methods may be called on any thread, at the same time. They may
// block, as the file system does. Errors: kTransport.
class Directory {
 public:
  // None: only for assigning to.
  Directory() = default;

  // The existing directory at `path`, links on the way included: they are the
  // choice of whoever chose the path.
  static absl::StatusOr<Directory> Open(std::string path);

  // Makes a directory of this user, with just that mode whatever the umask is,
  // and opens it.
  absl::StatusOr<Directory> MakeDirectory(const std::string& name,
                                          mode_t mode) const;
  // The same with a name that nobody has: `prefix` and six random characters.
  absl::StatusOr<Directory> MakeUniqueDirectory(const std::string& prefix,
                                                mode_t mode) const;
  // Opens a directory in this one; a link to one is an error.
  absl::StatusOr<Directory> OpenDirectory(const std::string& name) const;

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  // As others see it, absolute and without a slash at the end: for those to be
  // told. Nothing is done by it.
  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& name) const;
  // A path for bind, as short as the name, wherever the directory is:
  // "/proc/self/fd/N/name". For this process only, while the object lives.
  std::string BindPath(const std::string& name) const;

  absl::Status SetMode(mode_t mode) const;
  // -1 leaves one of them as it is.
  absl::Status SetOwner(uid_t uid, gid_t gid) const;

  // Removes a file, or the link itself; an absent one is none.
  absl::Status Unlink(const std::string& name) const;
  // Removes an empty directory; an absent one is none.
  absl::Status RemoveDirectory(const std::string& name) const;

  // Whether its path still leads to this directory: no when it was removed, or
  // another has its place.
  bool IsAtItsPath() const;

 private:
  Directory(UniqueFd fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  absl::StatusOr<Directory> WithMode(UniqueFd made, const std::string& name,
                                     mode_t mode) const;

  UniqueFd fd_;
  std::string path_;
};

// `prefix` and six random letters and digits.
std::string RandomName(const std::string& prefix);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_DIRECTORY_H_
