#ifndef GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_
#define GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// What to start. A plain value.
struct SpawnRequest {
  // `env` and `inherit_env` are not read here: `environment` is the result.
  Command command;
  // The child's whole environment, "NAME=value" each.
  std::vector<std::string> environment = {};
  // SIGKILL for the child when the *thread* that called Spawn ends. The kernel
  // forgets this for setuid programs and those with file capabilities, and it
  // reaches the child alone, not the child's own children.
  bool die_with_host = true;
  // Borrowed, above 2. -1: a pipe, whose other end comes with the child.
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Set by another thread when nobody waits any more: the check of a program's
  // digest, the one thing that takes long, then ends in kCancelled. May be
  // null.
  const std::atomic<bool>* abandoned = nullptr;
};

// A child that runs. It is not killed or reaped by dropping this value: see
// exit.h for both.
struct ChildProcess {
  pid_t pid = -1;
  // Readable (poll) once the child has ended. Invalid where the kernel or a
  // seccomp filter has no complete pidfd support (Linux before 5.4): ask
  // TryReap on a timer then.
  UniqueFd pidfd = {};
  // Read ends, O_NONBLOCK, unless the request brought descriptors of its own.
  // All descriptors here are close-on-exec and above 2.
  UniqueFd stdout_pipe = {};
  UniqueFd stderr_pipe = {};
  // The child leads a process group of its own, whose id is `pid`.
  bool leads_group = false;
};

// Starts the program and returns once it has been executed, so that whatever
// keeps a file from being executed is an error here, of reason kSpawn with a
// diagnosis (kOptions for a command that can't be valid, kChecksum for a
// program that is not the one asked for).
//
// The child gets descriptors 0, 1 and 2 and those that the command names,
// default dispositions for all signals, an empty signal mask, and
// `environment`. The calling process is left as it was: no signal handlers, no
// change to masks, limits or credentials, and no fork but for another user.
//
// Blocks for the time of an exec, usually well below 1 ms; up to 100 ms more
// while the program's file is still open for writing somewhere (ETXTBSY); for
// about 1 s per GB that is hashed.
// Thread-safe. With `die_with_host`, call it on a thread that lives long.
absl::StatusOr<ChildProcess> Spawn(const SpawnRequest& request);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_
