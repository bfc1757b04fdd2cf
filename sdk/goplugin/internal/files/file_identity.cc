#include "goplugin/internal/files/file_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace goplugin::internal {
namespace {

// Linux 5.8; Debian 12's headers have it, older ones may not.
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

absl::optional<FileIdentity> Ask(int directory, const char* name, int flags) {
  struct statx info = {};
  // What is known: a file system that hangs is not asked.
  if (statx(directory, name, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
            STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &info) != 0) {
    return absl::nullopt;
  }
  FileIdentity identity;
  identity.device = makedev(info.stx_dev_major, info.stx_dev_minor);
  identity.inode = info.stx_ino;
  if ((info.stx_mask & STATX_MNT_ID) != 0) identity.mount = info.stx_mnt_id;
  identity.uid = info.stx_uid;
  identity.gid = info.stx_gid;
  identity.mode = info.stx_mode;
  const struct statx_timestamp& stamp =
      (info.stx_mask & STATX_BTIME) != 0 ? info.stx_btime : info.stx_ctime;
  identity.stamp_ns = stamp.tv_sec * 1000000000 + stamp.tv_nsec;
  return identity;
}

}  // namespace

absl::optional<FileIdentity> Identify(int fd) {
  return Ask(fd, "", AT_EMPTY_PATH);
}

absl::optional<FileIdentity> IdentifyAt(int directory,
                                        const std::string& name) {
  return Ask(directory, name.c_str(), AT_SYMLINK_NOFOLLOW);
}

}  // namespace goplugin::internal
