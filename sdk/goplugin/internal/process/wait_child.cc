#include "goplugin/internal/process/wait_child.h"

#include <sys/wait.h>

#include <cerrno>

namespace goplugin::internal {

int WaitChild(pid_t pid, int pidfd, int options, siginfo_t* info) {
  // With WNOHANG and nothing to tell, not every kernel writes to `info`.
  *info = {};
  if (pidfd >= 0) {
    const int result = waitid(static_cast<idtype_t>(kWaitByPidfd),
                              static_cast<id_t>(pidfd), info, options);
    if (result == 0 || errno != EINVAL) return result;
  }
  return waitid(P_PID, static_cast<id_t>(pid), info, options);
}

}  // namespace goplugin::internal
