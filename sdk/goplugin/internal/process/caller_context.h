#ifndef GOPLUGIN_INTERNAL_PROCESS_CALLER_CONTEXT_H_
#define GOPLUGIN_INTERNAL_PROCESS_CALLER_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/internal/process/scheduling.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// What a start takes from the thread that asks for it, and from the moment at
// which it asks: read then, since other threads do the rest, later. A value
// that nobody changes.
struct CallerContext {
  // The whole environment, "NAME=value" each.
  std::vector<std::string> environment;
  // The current directory, as an O_PATH descriptor, close-on-exec and above 2:
  // it stays the same one when it is moved or removed. Invalid where it can't
  // be had (a directory that this user may not search): what is relative then
  // starts where the process is by the time.
  UniqueFd directory;
  // Its path, "" when it was removed already.
  std::string directory_path;
  // The processors that the thread may run on, as the kernel writes them.
  // Empty: not known.
  std::vector<unsigned char> affinity;
  // As a child of the thread inherits it. nullopt: not known.
  absl::optional<Scheduling> scheduling;
  // Its own policy is SCHED_DEADLINE, which is not inherited.
  bool is_by_deadline = false;
  // See SignalsToIgnore.
  std::uint32_t ignored_signals = 0;
};

// Of the calling thread. Reads the environment, so no other thread may change
// it meanwhile. Does not block.
std::shared_ptr<const CallerContext> ReadCallerContext();

// The value of an environment variable; nullopt when it is not set.
absl::optional<std::string> CallersVariable(const CallerContext& caller,
                                            absl::string_view name);

// For the *at system calls: where the caller's relative paths start.
int DirectoryOf(const CallerContext& caller);

// `path`, with the caller's current directory before it if it is relative.
// Unchanged where that directory has no path.
std::string CallersPath(const CallerContext& caller, absl::string_view path);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CALLER_CONTEXT_H_
