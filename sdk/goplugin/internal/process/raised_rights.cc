#include "goplugin/internal/process/raised_rights.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "goplugin/internal/process/capabilities.h"

namespace goplugin::internal {
namespace {

struct Ids {
  uint32_t real = 0;
  uint32_t effective = 0;
};

// The line's; nullopt where /proc does not tell.
absl::optional<Ids> IdsOf(const std::string& status_file,
                          const std::string& line_name) {
  std::ifstream status(status_file);
  for (std::string line; std::getline(status, line);) {
    if (!absl::StartsWith(line, line_name)) continue;
    std::istringstream fields(line.substr(line_name.size()));
    Ids ids;
    if (fields >> ids.real >> ids.effective) return ids;
  }
  return absl::nullopt;
}

}  // namespace

std::string RaisedRights(pid_t pid, uid_t user) {
  const std::string status = absl::StrCat("/proc/", pid, "/status");
  const absl::optional<Ids> now = IdsOf(status, "Uid:");
  if (now.has_value() && now->effective != user) {
    return absl::StrCat("it runs as user ", now->effective,
                        ", and was started as user ", user);
  }
  const absl::optional<Ids> group = IdsOf(status, "Gid:");
  if (group.has_value() && group->effective != group->real) {
    return absl::StrCat("it runs with group ", group->effective,
                        ", and was started with group ", group->real);
  }
  const auto theirs = ReadCapabilities(status, "CapPrm");
  const auto ours = ReadCapabilities("/proc/self/status", "CapPrm");
  if (!theirs.has_value() || !ours.has_value()) return "";
  const uint64_t more = *theirs & ~*ours;
  return more == 0 ? "" : absl::StrCat("it has ", CapabilityNames(more));
}

}  // namespace goplugin::internal
