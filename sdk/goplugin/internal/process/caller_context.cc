#include "goplugin/internal/process/caller_context.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "goplugin/internal/process/child_descriptors.h"

// Values of the kernel's interface, for older headers.
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

namespace goplugin::internal {
namespace {

// SCHED_FLAG_RESET_ON_FORK.
constexpr uint64_t kResetOnFork = 1;
// Room for as many processors as any kernel is built for, times 8.
constexpr size_t kMostAffinityBytes = size_t{8192};

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

bool IsRealTime(uint32_t policy) {
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

// What the kernel does at a fork.
Scheduling Inherited(Scheduling own) {
  Scheduling child;
  const bool resets = (own.flags & kResetOnFork) != 0;
  // A deadline is nothing that can be inherited.
  if (own.policy == SCHED_DEADLINE || (resets && IsRealTime(own.policy))) {
    return child;
  }
  child.policy = own.policy;
  child.nice = resets && own.nice < 0 ? 0 : own.nice;
  child.priority = own.priority;
  return child;
}

}  // namespace

std::vector<unsigned char> ReadAffinity() {
  std::vector<unsigned char> mask(128);
  while (mask.size() <= kMostAffinityBytes) {
    const int64_t size =
        syscall(SYS_sched_getaffinity, 0, mask.size(), mask.data());
    if (size > 0) {
      mask.resize(static_cast<size_t>(size));
      return mask;
    }
    // The kernel has more processors than the mask has bits.
    if (errno != EINVAL) break;
    mask.resize(mask.size() * 2);
  }
  return {};
}

absl::optional<Scheduling> ReadScheduling() {
  Scheduling own;
  if (syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0) != 0) {
    return absl::nullopt;
  }
  return Inherited(own);
}

std::shared_ptr<const CallerContext> ReadCallerContext() {
  auto caller = std::make_shared<CallerContext>();
  caller->environment = CopyEnvironment();
  caller->directory = OpenCurrentDirectory();
  caller->directory_path = CurrentDirectoryPath();
  caller->affinity = ReadAffinity();
  caller->scheduling = ReadScheduling();
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
