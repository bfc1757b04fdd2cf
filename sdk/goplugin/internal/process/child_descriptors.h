#ifndef GOPLUGIN_INTERNAL_PROCESS_CHILD_DESCRIPTORS_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHILD_DESCRIPTORS_H_

#include <cstddef>
#include <vector>

#include "goplugin/command.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// The descriptors by which the child joins its control groups, and those that
// it inherits, opened in the host: there an error is easier to find.

// 0 or an errno, and the number of the entry that it is about.
struct OpenResult {
  int error_number = 0;
  size_t item = 0;
};

// Opens the cgroup.procs of each directory for writing.
OpenResult OpenControlGroups(const std::vector<std::string>& directories,
                             std::vector<UniqueFd>& files);

// Duplicates each entry's host descriptor, so that none of the duplicates has a
// number that the child gives to another one. Close-on-exec.
OpenResult DuplicateInherited(const std::vector<Command::Descriptor>& entries,
                              std::vector<UniqueFd>& duplicates);

// Moves a descriptor away from the numbers that the child assigns: 0 to 2, and
// those of `entries`. False: errno is set.
bool MoveAway(const std::vector<Command::Descriptor>& entries, UniqueFd& fd);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHILD_DESCRIPTORS_H_
