#include "goplugin/internal/files/file_error.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

const char kHintForDescriptors[] =
    "raise the host's limit of open files (ulimit -n)";
const char kHintForProc[] =
    "mount /proc: files are worked on through /proc/self/fd, which is not "
    "there";

namespace {

const char* HintFor(int error_number) {
  switch (error_number) {
    case EMFILE:
    case ENFILE:
      return kHintForDescriptors;
    case ENOSPC:
    case EDQUOT:
      return "make room where the socket directory is, or name another place "
             "(TMPDIR)";
    default:
      return "keep the socket directory, and the right to write to it, while "
             "host and plugin run";
  }
}

absl::Status Error(absl::string_view doing, absl::string_view path,
                   int error_number, std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat(doing, " ", Quote(path), " failed");
  details.evidence = {std::strerror(error_number)};
  details.hint = std::move(hint);
  return MakeError(details);
}

}  // namespace

std::string FileProblem(absl::string_view doing, absl::string_view path,
                        int error_number) {
  return absl::StrCat(doing, " ", Quote(path), ": ",
                      std::strerror(error_number));
}

absl::Status FileError(absl::string_view doing, absl::string_view path,
                       int error_number) {
  return Error(doing, path, error_number, HintFor(error_number));
}

absl::Status ProcFileError(absl::string_view doing, absl::string_view path,
                           int error_number) {
  if (access("/proc/self/fd", X_OK) == 0) {
    return FileError(doing, path, error_number);
  }
  return Error(doing, path, error_number, kHintForProc);
}

}  // namespace goplugin::internal
