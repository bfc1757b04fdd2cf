#ifndef GOPLUGIN_INTERNAL_FILES_FILE_IDENTITY_H_
#define GOPLUGIN_INTERNAL_FILES_FILE_IDENTITY_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/types/optional.h"

namespace goplugin::internal {

// What the kernel says of one file. A value.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  // 0 before Linux 5.8.
  std::uint64_t mount = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
  // When it was made, in nanoseconds since 1970; where the file system does not
  // keep that, when it was last changed in any way.
  std::int64_t stamp_ns = 0;

  // The device alone would not tell a bind mount of the same file system.
  bool IsOnMountOf(const FileIdentity& other) const {
    return device == other.device && mount == other.mount;
  }
  // The stamp tells it from a later file that got the same number.
  bool IsSameFile(const FileIdentity& other) const {
    return device == other.device && inode == other.inode &&
           stamp_ns == other.stamp_ns;
  }
};

absl::optional<FileIdentity> Identify(int fd);
// Of the link itself, if it is one.
absl::optional<FileIdentity> IdentifyAt(int directory, const std::string& name);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_FILES_FILE_IDENTITY_H_
