#include "goplugin/internal/process/exit.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "goplugin/internal/process/wait_child.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace goplugin::internal {
namespace {

// The kernel's interface to PIDFD_GET_INFO, which the headers of most
// distributions lack. Only the first version's part of the structure.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64, "the size is part of the request");
constexpr auto kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr uint64_t kPidfdInfoExit = 1U << 3;

// PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9.
constexpr unsigned int kPidfdSignalGroup = 1U << 2;

ExitStatus FromWait(const siginfo_t& info) {
  ExitStatus status;
  status.kind = info.si_code == CLD_EXITED ? ExitStatus::Kind::kExited
                                           : ExitStatus::Kind::kSignalled;
  status.value = info.si_status;
  status.core_dumped = info.si_code == CLD_DUMPED;
  return status;
}

ExitStatus FromExitCode(int code) {
  ExitStatus status;
  if (WIFEXITED(code)) {
    status.kind = ExitStatus::Kind::kExited;
    status.value = WEXITSTATUS(code);
  } else if (WIFSIGNALED(code)) {
    status.kind = ExitStatus::Kind::kSignalled;
    status.value = WTERMSIG(code);
    status.core_dumped = WCOREDUMP(code);
  }
  return status;
}

// The pid is still taken by our child, running or not yet reaped, and so is the
// id of the group that it leads.
bool StillOurs(const ChildProcess& child) {
  siginfo_t info;
  return WaitChild(child.pid, child.pidfd.get(), WEXITED | WNOHANG | WNOWAIT,
                   &info) == 0;
}

absl::optional<ExitStatus> LookForExit(const ChildProcess& child, int options) {
  siginfo_t info;
  if (WaitChild(child.pid, child.pidfd.get(), options, &info) != 0) {
    return RecoverStatus(child.pidfd.get());
  }
  if (info.si_pid == 0) return absl::nullopt;
  return FromWait(info);
}

bool SignalProcess(const ChildProcess& child, int signal) {
  if (child.pidfd.valid()) {
    if (PidfdSendSignal(child.pidfd.get(), signal, 0) == 0) return true;
    // Only where the call itself is missing, or a filter refuses it.
    if (errno != ENOSYS && errno != EPERM) return false;
  }
  return StillOurs(child) && kill(child.pid, signal) == 0;
}

bool SignalGroup(const ChildProcess& child, int signal) {
  if (child.pidfd.valid()) {
    if (PidfdSendSignal(child.pidfd.get(), signal, kPidfdSignalGroup) == 0) {
      return true;
    }
    if (errno == ESRCH) return false;
  }
  return StillOurs(child) && kill(-child.pid, signal) == 0;
}

}  // namespace

int PidfdSendSignal(int pidfd, int signal, unsigned int flags) {
  return static_cast<int>(
      syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, flags));
}

ExitStatus RecoverStatus(int pidfd) {
  if (pidfd < 0) return {};
  // waitid stops finding the child a moment before the kernel has filed its
  // exit code; give the reaper that moment.
  constexpr int kTries = 64;
  for (int i = 0; i < kTries; ++i) {
    PidfdInfo info = {};
    info.mask = kPidfdInfoExit;
    const int result = ioctl(pidfd, kPidfdGetInfo, &info);
    if (result == 0 && (info.mask & kPidfdInfoExit) != 0) {
      return FromExitCode(info.exit_code);
    }
    if (result != 0 && errno != ESRCH) break;
    sched_yield();
  }
  return {};
}

absl::optional<ExitStatus> TryReap(const ChildProcess& child) {
  return LookForExit(child, WEXITED | WNOHANG);
}

absl::optional<ExitStatus> PeekExit(const ChildProcess& child) {
  return LookForExit(child, WEXITED | WNOHANG | WNOWAIT);
}

bool SendSignal(const ChildProcess& child, int signal, bool whole_group) {
  if (child.pid <= 0) return false;
  if (!whole_group || !child.leads_group) return SignalProcess(child, signal);
  const bool group = SignalGroup(child, signal);
  // A leader may have moved to another group. It must not escape being killed,
  // and must not get two of the gentler signals if it has not.
  if (group && signal != SIGKILL) return true;
  return SignalProcess(child, signal) || group;
}

void KillUnreaped(const ChildProcess& child) {
  if (child.pidfd.valid()) {
    PidfdSendSignal(child.pidfd.get(), SIGKILL, 0);
  } else if (child.pid > 0 && StillOurs(child)) {
    kill(child.pid, SIGKILL);
  }
}

}  // namespace goplugin::internal
