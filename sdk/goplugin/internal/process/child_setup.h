#ifndef GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"

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
  kCallersDirectory,
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
  // -1: the one that the process is in. Else an O_PATH descriptor.
  int callers_directory = -1;
  // Relative to the caller's. nullptr: the caller's.
  const char* working_directory = nullptr;
  // Above 2, all of them; stdin_fd is -1 for the host's own.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  bool own_group = false;
  bool die_with_host = true;

  // Signals to ignore, signal N by bit 1 << N; all others get the default.
  uint32_t ignored_signals = 0;
  // None: the spawner's.
  Items<unsigned char> affinity = {};
  // nullptr: the spawner's.
  const Scheduling* scheduling = nullptr;
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
  // Those of the host's that are needed up to the exec, in ascending order.
  Items<int> kept_descriptors = {};
};

// The kernel's signal set; unlike libc's it holds the two or three signals that
// libc keeps for itself.
struct KernelSignalSet {
  unsigned char bytes[_NSIG / 8];
};

// In memory that both sides see, also when the rest of it is a copy.
struct ChildArguments {
  const ChildPlan* plan;
  pid_t host;
  // Set by whoever gives up: the child is not to execute anything any more.
  // Read and written atomically, as `runs`.
  int given_up;
  // Set by the child at its start: from then on it can be killed.
  int runs;
  // Written by the child, read after it is gone or executed.
  SpawnStep step;
  size_t item;
  int error_number;
  // What the child could not be given of the caller's, an errno each; 0: it has
  // it. Neither keeps it from running.
  int affinity_error;
  int scheduling_error;
};

// What the child runs, on a stack of its own: `data` are its ChildArguments.
// Does not return.
int ChildMain(void* data);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHILD_SETUP_H_
