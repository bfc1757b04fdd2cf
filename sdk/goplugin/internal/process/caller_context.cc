#include "goplugin/internal/process/caller_context.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "goplugin/internal/process/at_load.h"
#include "goplugin/internal/process/child_descriptors.h"

namespace goplugin::internal {
namespace {

std::vector<std::string> CopyEnvironment() {
  std::vector<std::string> copy;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    copy.emplace_back(*entry);
  }
  return copy;
}

UniqueFd OpenCurrentDirectory() {
  UniqueFd fd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && !MoveAway({}, fd)) fd.reset();
  return fd;
}

std::string CurrentDirectoryPath() {
  char buffer[PATH_MAX];
  // Unreachable ones have names that do not start with a slash.
  return getcwd(buffer, sizeof(buffer)) == nullptr || buffer[0] != '/' ? ""
                                                                       : buffer;
}

}  // namespace

std::shared_ptr<const CallerContext> ReadCallerContext() {
  auto caller = std::make_shared<CallerContext>();
  caller->environment = CopyEnvironment();
  caller->directory = OpenCurrentDirectory();
  caller->directory_path = CurrentDirectoryPath();
  caller->affinity = ReadAffinity();
  const absl::optional<Scheduling> own = ReadScheduling();
  if (own.has_value()) {
    caller->scheduling = Inherited(*own);
    caller->is_by_deadline = IsByDeadline(*own);
  }
  caller->ignored_signals = SignalsToIgnore();
  return caller;
}

absl::optional<std::string> CallersVariable(const CallerContext& caller,
                                            absl::string_view name) {
  const std::string start = absl::StrCat(name, "=");
  for (const std::string& variable : caller.environment) {
    if (absl::StartsWith(variable, start)) return variable.substr(start.size());
  }
  return absl::nullopt;
}

int DirectoryOf(const CallerContext& caller) {
  return caller.directory.valid() ? caller.directory.get() : AT_FDCWD;
}

std::string CallersPath(const CallerContext& caller, absl::string_view path) {
  if (absl::StartsWith(path, "/") || caller.directory_path.empty()) {
    return std::string(path);
  }
  absl::ConsumePrefix(&path, "./");
  const std::string& directory = caller.directory_path;
  return absl::StrCat(directory == "/" ? "" : directory, "/", path);
}

}  // namespace goplugin::internal
