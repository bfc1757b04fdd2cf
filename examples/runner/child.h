#ifndef EXAMPLES_RUNNER_CHILD_H_
#define EXAMPLES_RUNNER_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "goplugin/exit_status.h"

// A child process, as a runner needs it. Descriptors are the caller's.
struct Child {
  pid_t pid = -1;
  int pidfd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
};

// Starts `arguments`, the program's path first. The child gets `inherited`, a
// descriptor, under number 3, unless it is -1, and no signal blocked or
// ignored.
absl::StatusOr<Child> StartChild(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment,
                                 int inherited = -1);

// Waits for its end, and reaps it.
absl::StatusOr<goplugin::ExitStatus> WaitForChild(pid_t pid);

// SIGKILL. OK when it has ended already.
absl::Status KillProcess(int pidfd);

#endif  // EXAMPLES_RUNNER_CHILD_H_
