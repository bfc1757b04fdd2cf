#include "goplugin/internal/process/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

// What execvp of glibc and musl takes when PATH is not set.
constexpr char kDefaultPath[] = "/bin:/usr/bin";

std::string HostPath(const CallerContext& caller) {
  return CallersVariable(caller, "PATH").value_or(kDefaultPath);
}

bool IsExecutableFile(const CallerContext& caller, const std::string& path) {
  const int directory = DirectoryOf(caller);
  struct stat info;
  return fstatat(directory, path.c_str(), &info, 0) == 0 &&
         S_ISREG(info.st_mode) &&
         faccessat(directory, path.c_str(), X_OK, AT_EACCESS) == 0;
}

absl::Status NotInPath(const CallerContext& caller, const std::string& name) {
  ErrorDetails details;
  details.reason = Reason::kSpawn;
  details.what = absl::StrCat("the plugin program ", Quote(name),
                              " was not found in PATH");
  details.evidence = {
      absl::StrCat("the host's PATH: ", Quote(HostPath(caller)))};
  details.hint =
      "install the program in a directory of the host's PATH, or give "
      "Command::path with a slash";
  // A common slip: the file lies next to the host, where a shell wouldn't look
  // either.
  if (IsExecutableFile(caller, name)) {
    details.evidence.push_back(
        absl::StrCat("the host's current directory has a file of that name: ",
                     Quote(caller.directory_path)));
    details.hint = absl::StrCat(
        "set Command::path to ", Quote(absl::StrCat("./", name)),
        " to run the one in the current directory, or install it in a "
        "directory of the host's PATH");
  }
  return MakeError(details);
}

}  // namespace

std::string CurrentDirectory() {
  char buffer[PATH_MAX];
  return getcwd(buffer, sizeof(buffer)) == nullptr ? "" : buffer;
}

absl::optional<std::string> FindInPath(const CallerContext& caller,
                                       const std::string& name) {
  if (name.empty()) return absl::nullopt;
  const std::string path = HostPath(caller);
  for (absl::string_view directory : absl::StrSplit(path, ':')) {
    if (!absl::StartsWith(directory, "/")) continue;
    std::string candidate = absl::StrCat(directory, "/", name);
    if (IsExecutableFile(caller, candidate)) return candidate;
  }
  return absl::nullopt;
}

absl::StatusOr<std::string> ResolveProgram(const Command& command,
                                           const CallerContext& caller) {
  const std::string& path = command.path;
  if (absl::StartsWith(path, "/")) return path;
  const bool has_slash = absl::StrContains(path, '/');
  if (command.search_path && !has_slash) {
    absl::optional<std::string> found = FindInPath(caller, path);
    if (!found.has_value()) return NotInPath(caller, path);
    return *std::move(found);
  }
  if (command.working_directory.empty()) {
    // A script's interpreter is given this name; "-c" would be an option to it.
    return has_slash ? path : absl::StrCat("./", path);
  }
  if (caller.directory_path.empty()) {
    return MakeError(
        Reason::kSpawn,
        absl::StrCat("the plugin program ", Quote(path),
                     " is relative to the host's current directory, which "
                     "does not exist any more"),
        "give Command::path as an absolute path");
  }
  return CallersPath(caller, path);
}

}  // namespace goplugin::internal
