#ifndef GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_
#define GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "goplugin/command.h"
#include "goplugin/internal/process/caller_context.h"
#include "goplugin/internal/process/child_process.h"
#include "goplugin/internal/process/spawn_result.h"

namespace goplugin::internal {

// A child is started in three steps, each on a thread of its kind:
//   PrepareSpawn        looks at files, opens and hashes: the pool
//   Spawners::Spawn     the clone (spawners.h): a spawner
//   FinishSpawn         the child, or why there is none: the pool

// What to start. A plain value.
struct SpawnRequest {
  // `env` and `inherit_env` are not read here: `environment` is the result.
  Command command;
  // The child's whole environment, "NAME=value" each.
  std::vector<std::string> environment = {};
  // SIGKILL for the child when the *thread* that cloned it ends. The kernel
  // forgets this for setuid programs and those with file capabilities, and it
  // reaches the child alone, not the child's own children.
  bool die_with_host = true;
  // Borrowed until PrepareSpawn returns, above 2. -1: a pipe, whose other end
  // comes with the child.
  int stdout_fd = -1;
  int stderr_fd = -1;
  // Set by another thread when nobody waits any more: the check of a program's
  // digest, the one thing that takes long, then ends in kCancelled. May be
  // null. Read by PrepareSpawn alone.
  const std::atomic<bool>* abandoned = nullptr;
};

// All that a child needs, found and opened. Dropping it closes what was opened.
// Thread safety: used by one thread after the other.
class PreparedSpawn;

// Looks for the program, opens what the child is given, and hashes what is to
// be checked. What is relative starts at the caller's directory, and a search
// is in the caller's PATH.
//
// Errors: kOptions for a command that can't be valid, kChecksum for a program
// that is not the one asked for, kSpawn with a diagnosis for the rest,
// kCancelled.
//
// Blocks as long as file systems do, and for about 1 s per GB that is hashed.
// Thread-safe.
absl::StatusOr<std::shared_ptr<PreparedSpawn>> PrepareSpawn(
    SpawnRequest request, std::shared_ptr<const CallerContext> caller);

// The child that came of `prepared`, which runs its program by now. Else an
// error of reason kSpawn, with a diagnosis of whatever kept the file from being
// executed; finding that out looks at files, and blocks as long as these do.
//
// The child has descriptors 0, 1 and 2 and those that the command names,
// default dispositions for all signals but those that whoever started the host
// had it ignore (SignalsToIgnore), an empty signal mask, `environment`, and the
// caller's directory, processors and scheduling, the last two as far as the
// kernel allows (its note says what is missing). The calling process is left as
// it was: no signal handlers, no change to masks, limits or credentials, and no
// fork but for another user.
absl::StatusOr<ChildProcess> FinishSpawn(
    const std::shared_ptr<PreparedSpawn>& prepared, SpawnResult result);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SPAWN_H_
