#ifndef GOPLUGIN_INTERNAL_PROCESS_CHILD_PROCESS_H_
#define GOPLUGIN_INTERNAL_PROCESS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>

#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// A child that runs. It is not killed or reaped by dropping this value: see
// exit.h and left_children.h for both.
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
  // The end of its stdin that is written to, if that is a pipe.
  UniqueFd stdin_pipe = {};
  // What it could not be given of its caller's, for a person; "" if all.
  std::string note = {};
  // The child leads a process group of its own, whose id is `pid`.
  bool leads_group = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CHILD_PROCESS_H_
