#ifndef GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_

#include <sys/types.h>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Where on the way to the new program something failed.
enum class SpawnStep {
  kPipes,       // the pipes for stdout and stderr
  kNullDevice,  // /dev/null for stdin
  kClone,
  kProcessGroup,
  kDeathSignal,
  kStdio,
  kWorkingDirectory,
  kDescriptors,  // closing what the host has open
  kExec,
};

// All that the child needs, made ready beforehand: between clone and exec it
// may not allocate. The pointers are borrowed.
struct ChildPlan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  // nullptr: the host's.
  const char* working_directory = nullptr;
  // Above 2, all of them; stdin_fd is -1 for the host's own.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  bool own_group = false;
  bool die_with_host = true;
};

struct CloneResult {
  // -1 when there is no child at all. With an error and a pid, there is a child
  // that ends by itself and has to be reaped.
  pid_t pid = -1;
  UniqueFd pidfd = {};
  // 0 once the program has been executed.
  int error_number = 0;
  SpawnStep step = SpawnStep::kClone;
};

// Makes the child with the semantics of vfork: it borrows our memory, and this
// thread stands still until it executes the program or gives up. That takes the
// same time in a host of any size, and no other thread of the host is stopped.
CloneResult CloneAndExec(const ChildPlan& plan);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
