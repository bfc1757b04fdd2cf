#ifndef GOPLUGIN_INTERNAL_PROCESS_WAIT_CHILD_H_
#define GOPLUGIN_INTERNAL_PROCESS_WAIT_CHILD_H_

#include <sys/types.h>

#include <csignal>

namespace goplugin::internal {

// P_PIDFD, which older headers lack.
constexpr int kWaitByPidfd = 3;

// waitid for this one child: by pidfd if there is one (-1: none) and the kernel
// can, else by pid. Returns and sets errno as waitid does.
int WaitChild(pid_t pid, int pidfd, int options, siginfo_t* info);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_WAIT_CHILD_H_
