#ifndef GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_

#include <sys/types.h>

#include <cstddef>

#include "goplugin/command.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Where on the way to the new program something failed.
enum class SpawnStep {
  kOpenProgram,  // those that check a program are for SecureConfig
  kSealedCopy,
  kHashProgram,
  kPipes,             // the pipes for stdout and stderr
  kNullDevice,        // /dev/null for stdin
  kOpenControlGroup,  // Command::cgroups, to write to it
  kDuplicate,         // Command::descriptors, in the host
  kClone,
  kProcessGroup,
  kDeathSignal,
  kStdio,
  kControlGroup,  // the rest of these are one field of the Command each
  kResourceLimit,
  kNice,
  kGroups,
  kGid,
  kUid,
  kWorkingDirectory,
  kNoNewPrivileges,
  kCloseDescriptors,  // closing what the host has open
  kInherit,           // Command::descriptors, in the child
  kExec,
};

// Elements of a container of the host's, borrowed. Not a Span: the child calls
// no function that may be instrumented.
template <typename T>
struct Items {
  const T* first = nullptr;
  size_t count = 0;
};

// All that the child needs, made ready beforehand: between clone and exec it
// may not allocate. The pointers are borrowed.
struct ChildPlan {
  const char* program = nullptr;
  // Executed in place of `program`, unless -1.
  int program_fd = -1;
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

  // Descriptors of cgroup.procs files.
  Items<int> control_groups = {};
  Items<Command::ResourceLimit> resource_limits = {};
  int nice = 0;
  // nullptr: the host's user. The groups are the user's.
  const Command::User* user = nullptr;
  Items<uint32_t> groups = {};
  bool no_new_privileges = false;
  // `host` is a duplicate with a number that is nobody's `child`.
  Items<Command::Descriptor> descriptors = {};
};

struct CloneResult {
  // -1 when there is no child at all. With an error and a pid, there is a child
  // that ends by itself and has to be reaped.
  pid_t pid = -1;
  UniqueFd pidfd = {};
  // 0 once the program has been executed.
  int error_number = 0;
  SpawnStep step = SpawnStep::kClone;
  // Which of the step's items it was: the third resource limit.
  size_t item = 0;
};

// Makes the child with the semantics of vfork: it borrows our memory, and this
// thread stands still until it executes the program or gives up. That takes the
// same time in a host of any size, and no other thread of the host is stopped.
// With a `user` it gets a copy of our memory instead, as by fork: new
// credentials make the memory's owner "not dumpable", and that must not be us.
CloneResult CloneAndExec(const ChildPlan& plan);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
