#include "goplugin/internal/process/socket_sweep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/program_file.h"

namespace goplugin::internal {

absl::optional<SocketIdentity> IdentifySocket(const std::string& path) {
  struct statx info = {};
  if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW,
            STATX_TYPE | STATX_INO | STATX_BTIME, &info) != 0 ||
      !S_ISSOCK(info.stx_mode)) {
    return absl::nullopt;
  }
  SocketIdentity identity;
  identity.path = path;
  identity.device = makedev(info.stx_dev_major, info.stx_dev_minor);
  identity.inode = info.stx_ino;
  if ((info.stx_mask & STATX_BTIME) != 0) {
    identity.birth_ns =
        info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
  }
  return identity;
}

void UnlinkIfSame(const SocketIdentity& identity) {
  const absl::optional<SocketIdentity> now = IdentifySocket(identity.path);
  if (now.has_value() && now->device == identity.device &&
      now->inode == identity.inode && now->birth_ns == identity.birth_ns) {
    unlink(identity.path.c_str());
  }
}

absl::Status CheckUnixSocket(const std::string& path) {
  // An abstract name is in no file system.
  if (absl::StartsWith(path, absl::string_view("\0", 1))) {
    return absl::OkStatus();
  }
  const ProgramFile file = InspectProgram(path);
  if (S_ISSOCK(file.mode)) return absl::OkStatus();
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("the plugin announced the unix socket ",
                              Quote(path), ", but no socket is there");
  if (file.kind == ProgramFile::Kind::kAbsent) {
    details.evidence = {std::string(
        absl::ErrnoToStatus(file.error_number, "looking for it").message())};
    details.hint =
        "the plugin must listen before it writes its handshake line, and give "
        "the socket's path as the host sees it: absolute, and outside of any "
        "container or chroot of its own";
  } else {
    details.evidence = {absl::StrCat("found there: ", DescribeFile(file))};
    details.hint =
        "the plugin must announce the path of the socket it listens on, not "
        "its directory or another file";
  }
  return MakeError(details);
}

}  // namespace goplugin::internal
