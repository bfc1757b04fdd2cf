#include "goplugin/internal/serve/thread_limits.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"

namespace goplugin::internal {
namespace {

// Others start threads meanwhile.
constexpr std::uint64_t kManyTimes = 8;

absl::optional<std::uint64_t> ToNumber(absl::string_view text) {
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) return absl::nullopt;
  return number;
}

absl::optional<std::uint64_t> ReadNumber(const std::string& path,
                                         ReadText read) {
  return ToNumber(absl::StripAsciiWhitespace(read(path)));
}

// All threads of the system: more than any user or group has. The fourth field
// of "0.20 0.18 0.12 1/80 11206", after the slash.
absl::optional<std::uint64_t> AllThreads(ReadText read) {
  const std::string text = read("/proc/loadavg");
  const std::vector<absl::string_view> fields = absl::StrSplit(text, ' ');
  if (fields.size() < 4) return absl::nullopt;
  const std::vector<absl::string_view> counts = absl::StrSplit(fields[3], '/');
  const absl::optional<std::uint64_t> all = ToNumber(counts.back());
  // A system that tells less than of this process tells nothing.
  return all.value_or(0) > 0 ? all : absl::nullopt;
}

// Whether a group allows so many more; nullopt when it has no limit to show.
absl::optional<bool> GroupHasRoom(const std::string& directory,
                                  std::uint64_t room, ReadText read) {
  const std::string limit = read(absl::StrCat(directory, "/pids.max"));
  if (limit.empty()) return absl::nullopt;
  if (absl::StripAsciiWhitespace(limit) == "max") return true;
  const absl::optional<std::uint64_t> most =
      ToNumber(absl::StripAsciiWhitespace(limit));
  const absl::optional<std::uint64_t> taken =
      ReadNumber(absl::StrCat(directory, "/pids.current"), read);
  return most.has_value() && taken.has_value() && *taken + room <= *most;
}

// Where the groups of a hierarchy are, and a file that each has.
struct Hierarchy {
  std::string root;
  const char* mark;
};

// The group and those around it, as far as they are mounted. The outermost of a
// system has no limit.
bool GroupsHaveRoom(const Hierarchy& hierarchy, absl::string_view path,
                    std::uint64_t room, ReadText read) {
  const std::string& root = hierarchy.root;
  bool seen = path == "/" && !read(absl::StrCat(root, hierarchy.mark)).empty();
  while (true) {
    absl::ConsumeSuffix(&path, "/");
    const absl::optional<bool> has_room =
        GroupHasRoom(absl::StrCat(root, path), room, read);
    if (has_room.has_value() && !*has_room) return false;
    seen = seen || has_room.has_value();
    if (path.empty()) return seen;
    const size_t parent = path.rfind('/');
    path = path.substr(0, parent == absl::string_view::npos ? 0 : parent);
  }
}

// Lines "HIERARCHY:CONTROLLERS:PATH"; version 2 has number 0 and no names.
bool AllGroupsHaveRoom(std::uint64_t room, ReadText read) {
  bool seen = false;
  const std::string groups = read("/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(groups, '\n')) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() < 3) continue;
    Hierarchy hierarchy;
    if (parts[0] == "0" && parts[1].empty()) {
      // Beside version 1 it counts nothing.
      if (absl::StrContains(groups, "pids")) continue;
      hierarchy = {"/sys/fs/cgroup", "/cgroup.controllers"};
    } else {
      const std::vector<absl::string_view> names =
          absl::StrSplit(parts[1], ',');
      if (std::find(names.begin(), names.end(), "pids") == names.end()) {
        continue;
      }
      hierarchy = {absl::StrCat("/sys/fs/cgroup/", parts[1]),
                   "/notify_on_release"};
    }
    if (!GroupsHaveRoom(hierarchy, parts[2], room, read)) return false;
    seen = true;
  }
  return seen;
}

}  // namespace

bool ThreadLimitsAreFar(std::uint64_t wanted, const ResourceLimits& limits,
                        ReadText read) {
  if (limits.address_space != RLIM_INFINITY || limits.data != RLIM_INFINITY ||
      ReadNumber("/proc/sys/vm/overcommit_memory", read).value_or(2) == 2) {
    return false;
  }
  const std::uint64_t room = kManyTimes * wanted;
  const absl::optional<std::uint64_t> all = AllThreads(read);
  if (!all.has_value()) return false;
  const std::uint64_t needed = *all + room;
  return (limits.processes == RLIM_INFINITY || needed <= limits.processes) &&
         needed <=
             ReadNumber("/proc/sys/kernel/threads-max", read).value_or(0) &&
         needed <= ReadNumber("/proc/sys/kernel/pid_max", read).value_or(0) &&
         AllGroupsHaveRoom(room, read);
}

}  // namespace goplugin::internal
