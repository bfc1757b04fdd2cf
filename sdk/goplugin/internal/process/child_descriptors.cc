#include "goplugin/internal/process/child_descriptors.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace goplugin::internal {
namespace {

constexpr int kFirstAfterStdio = 3;

bool IsAssigned(const std::vector<Command::Descriptor>& entries, int fd) {
  return fd < kFirstAfterStdio ||
         std::any_of(
             entries.begin(), entries.end(),
             [fd](const Command::Descriptor& e) { return e.child == fd; });
}

}  // namespace

bool MoveAway(const std::vector<Command::Descriptor>& entries, UniqueFd& fd) {
  // Each turn starts above the last number, so there is one at most for each
  // assigned number.
  while (IsAssigned(entries, fd.get())) {
    const int moved = fcntl(fd.get(), F_DUPFD_CLOEXEC,
                            std::max(fd.get() + 1, kFirstAfterStdio));
    if (moved < 0) return false;
    fd.reset(moved);
  }
  return true;
}

OpenResult OpenControlGroups(const std::vector<std::string>& directories,
                             std::vector<UniqueFd>& files) {
  for (const std::string& directory : directories) {
    const std::string path = absl::StrCat(directory, "/cgroup.procs");
    // O_NONBLOCK: it may be no control group, and the file a FIFO.
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid() || !MoveAway({}, fd)) return {errno, files.size()};
    files.push_back(std::move(fd));
  }
  return {};
}

OpenResult DuplicateInherited(const std::vector<Command::Descriptor>& entries,
                              std::vector<UniqueFd>& duplicates) {
  for (const Command::Descriptor& entry : entries) {
    UniqueFd fd(fcntl(entry.host, F_DUPFD_CLOEXEC, kFirstAfterStdio));
    if (!fd.valid() || !MoveAway(entries, fd)) {
      return {errno, duplicates.size()};
    }
    duplicates.push_back(std::move(fd));
  }
  return {};
}

}  // namespace goplugin::internal
