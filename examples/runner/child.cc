#include "examples/runner/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace {

constexpr int kInheritedAs = 3;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// The caller's thread may have all signals blocked.
void ResetSignals(posix_spawnattr_t* attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setflags(attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int Spawn(const std::vector<std::string>& arguments,
          const std::vector<std::string>& environment, int out, int err,
          int inherited, pid_t* pid) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&actions);
  ResetSignals(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  if (inherited >= 0) {
    posix_spawn_file_actions_adddup2(&actions, inherited, kInheritedAs);
  }
  const int error =
      posix_spawn(pid, arguments[0].c_str(), &actions, &attributes,
                  Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

absl::StatusOr<Child> StartChild(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment,
                                 int inherited) {
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    const int error = errno;
    close(out[0]);
    close(out[1]);
    return absl::ErrnoToStatus(error, "pipe");
  }
  Child child;
  const int error =
      Spawn(arguments, environment, out[1], err[1], inherited, &child.pid);
  close(out[1]);
  close(err[1]);
  if (error == 0) {
    child.pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0));
    child.stdout_fd = out[0];
    child.stderr_fd = err[0];
    return child;
  }
  close(out[0]);
  close(err[0]);
  return absl::ErrnoToStatus(error, arguments[0]);
}

absl::StatusOr<goplugin::ExitStatus> WaitForChild(pid_t pid) {
  siginfo_t info = {};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "waitid");
  }
  goplugin::ExitStatus status;
  status.kind = info.si_code == CLD_EXITED
                    ? goplugin::ExitStatus::Kind::kExited
                    : goplugin::ExitStatus::Kind::kSignalled;
  status.value = info.si_status;
  status.core_dumped = info.si_code == CLD_DUMPED;
  return status;
}

absl::Status KillProcess(int pidfd) {
  if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0) == 0 ||
      errno == ESRCH) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "pidfd_send_signal");
}
