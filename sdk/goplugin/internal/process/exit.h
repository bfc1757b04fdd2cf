#ifndef GOPLUGIN_INTERNAL_PROCESS_EXIT_H_
#define GOPLUGIN_INTERNAL_PROCESS_EXIT_H_

#include "absl/types/optional.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/process/child_process.h"

namespace goplugin::internal {

// None of these blocks, and none waits for any other child of the host. Without
// a pidfd they are not safe to call for the same child from two threads at
// once: between a check and a kill(pid), the other thread's reap could free the
// number.

// How the child ended, and frees its process table entry; nullopt while it
// runs. kUnknown when somebody else has taken the status (a host that ignores
// SIGCHLD or reaps all its children) and the kernel has no copy
// (PIDFD_GET_INFO, Linux 6.15). May be called again: the answer is then the
// same or kUnknown.
absl::optional<ExitStatus> TryReap(const ChildProcess& child);

// How a process ended that is not our child, or that somebody else has reaped:
// kUnknown before Linux 6.15, without a pidfd (-1), and while nobody has reaped
// it.
ExitStatus RecoverStatus(int pidfd);

// The same without freeing anything: the id of an ended leader's group stays
// taken, so that SendSignal still reaches what is left of the group.
absl::optional<ExitStatus> PeekExit(const ChildProcess& child);

// Sends `signal`; false when there was nothing to send it to any more, or no
// permission (a setuid program). A child that has ended but is not reaped takes
// signals without effect. Never reaches a process that only got the child's
// number after it.
//
// With `whole_group`, all of the child's process group gets it, provided that
// the child leads its own (ProcessGroup::kOwn); otherwise the child alone does.
// After the leader's exit the rest of the group can be signalled until TryReap
// (since Linux 6.9, by pidfd, also after it): signal first, then reap.
bool SendSignal(const ChildProcess& child, int signal, bool whole_group);

// The system call, which glibc lacks: 0, or -1 with errno. `flags`: 0 for the
// process alone.
int PidfdSendSignal(int pidfd, int signal, unsigned int flags);

// SIGKILL for a child that nobody has reaped, or can reap meanwhile: by its
// pidfd, which is enough, or by its pid.
void KillUnreaped(const ChildProcess& child);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_EXIT_H_
