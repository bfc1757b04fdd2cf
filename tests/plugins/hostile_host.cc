// What can be done to a process, by whoever is not its user.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/plugins/hostile_parts.h"

namespace hostile {
namespace {

void MustFail(bool worked, const std::string& what) {
  if (worked) Breach(what);
}

// Those that would do no harm, so that a failure of the test is one. (SIGCONT
// is allowed to all of a session.)
void AttackBySignals(pid_t host) {
  for (const int number : {0, SIGURG, SIGWINCH}) {
    MustFail(kill(host, number) == 0, "signal " + std::to_string(number));
  }
  const long pidfd = syscall(SYS_pidfd_open, host, 0);
  if (pidfd < 0) return;
  MustFail(syscall(SYS_pidfd_send_signal, pidfd, SIGURG, nullptr, 0) == 0,
           "signal by pidfd");
  for (int fd = 0; fd < 64; ++fd) {
    MustFail(syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0,
             "descriptor " + std::to_string(fd));
  }
}

void AttackMemory(pid_t host) {
  MustFail(ptrace(PTRACE_SEIZE, host, nullptr, nullptr) == 0, "ptrace");
  char byte = 0;
  iovec local = {&byte, 1};
  iovec remote = {reinterpret_cast<void*>(0x400000), 1};
  MustFail(syscall(SYS_process_vm_readv, host, &local, 1, &remote, 1, 0) >= 0,
           "reading memory");
  MustFail(syscall(SYS_process_vm_writev, host, &local, 1, &remote, 1, 0) >= 0,
           "writing memory");
  const std::string proc = "/proc/" + std::to_string(host) + "/";
  for (const char* name : {"mem", "environ", "maps", "auxv", "fd/0", "fd/1"}) {
    MustFail(open((proc + name).c_str(), O_RDONLY | O_CLOEXEC) >= 0, name);
    MustFail(open((proc + name).c_str(), O_WRONLY | O_CLOEXEC) >= 0, name);
  }
  MustFail(open((proc + "oom_score_adj").c_str(), O_WRONLY) >= 0, "oom score");
}

void AttackLimits(pid_t host) {
  const rlimit few = {3, 3};
  MustFail(prlimit(host, RLIMIT_NOFILE, &few, nullptr) == 0, "limits");
  MustFail(setpriority(PRIO_PROCESS, static_cast<id_t>(host), 19) == 0,
           "nice value");
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  MustFail(sched_setaffinity(host, sizeof cpus, &cpus) == 0, "affinity");
}

void AttackVictims(const std::vector<std::string>& victims) {
  for (const std::string& path : victims) {
    MustFail(open(path.c_str(), O_WRONLY | O_NONBLOCK) >= 0, "open " + path);
    MustFail(chmod(path.c_str(), 0777) == 0, "chmod " + path);
    MustFail(chown(path.c_str(), getuid(), getgid()) == 0, "chown " + path);
    MustFail(unlink(path.c_str()) == 0, "unlink " + path);
  }
}

// What came with exec: nothing of the host's but stdio.
void LookForDescriptors() {
  for (int fd = 3; fd < 256; ++fd) {
    MustFail(fcntl(fd, F_GETFD) >= 0, "inherited " + std::to_string(fd));
  }
}

}  // namespace

void AttackHost(pid_t host, const std::vector<std::string>& victims) {
  LookForDescriptors();
  AttackBySignals(host);
  AttackMemory(host);
  AttackLimits(host);
  AttackVictims(victims);
}

}  // namespace hostile
