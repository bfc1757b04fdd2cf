#include "goplugin/internal/process/unix_socket.h"

#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/process/program_file.h"

namespace goplugin::internal {

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
