#include "goplugin/internal/process/child_setup.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

// The child's functions run in the host's memory, on the thread state of a
// thread that stands still. Instrumentation would leave its traces there.
#define GOPLUGIN_NO_SANITIZE \
  __attribute__((no_sanitize("address", "thread", "undefined")))
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
// Clang's no_sanitize("thread") alone still records each function's entry.
#define GOPLUGIN_IN_CHILD \
  GOPLUGIN_NO_SANITIZE __attribute__((disable_sanitizer_instrumentation))
#else
#define GOPLUGIN_IN_CHILD GOPLUGIN_NO_SANITIZE
#endif

// Values of the kernel's interface, for older headers.
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace goplugin::internal {
namespace {

constexpr int kSignals = _NSIG;  // one more than the highest number

// The calls with 32-bit ids.
#if defined(SYS_setresuid32)
constexpr int64_t kSetGroups = SYS_setgroups32, kSetGid = SYS_setresgid32,
                  kSetUid = SYS_setresuid32;
#else
constexpr int64_t kSetGroups = SYS_setgroups, kSetGid = SYS_setresgid,
                  kSetUid = SYS_setresuid;
#endif

// ---- In the child: nothing but system calls, made directly. libc's wrappers
// may be intercepted by sanitizers, or look at state that is the host's.

// Where the kernel's sigaction has its handler, in words: first, but for MIPS.
#if defined(__mips__)
constexpr int kHandlerWord = 1;
#else
constexpr int kHandlerWord = 0;
#endif

GOPLUGIN_IN_CHILD void ResetSignals(uint32_t ignored) {
  // A zeroed kernel sigaction, whatever the architecture's layout: SIG_DFL, no
  // flags, an empty mask. A handler left in place would run in the host's
  // memory. Nothing is gained by asking for the old one first.
  volatile unsigned long action[16];  // NOLINT(google-runtime-int): a word
  for (int i = 0; i < 16; ++i) action[i] = 0;
  constexpr int kBits = 32;
  constexpr int kIgnore = 1;  // SIG_IGN
  for (int signal = 1; signal < kSignals; ++signal) {
    const bool is_ignored = signal < kBits && (ignored >> signal & 1U) != 0;
    action[kHandlerWord] = is_ignored ? kIgnore : 0;
    // SIGKILL and SIGSTOP refuse; they are as they should be.
    syscall(SYS_rt_sigaction, signal, &action, nullptr,
            sizeof(KernelSignalSet));
  }
}

GOPLUGIN_IN_CHILD bool SetDeathSignal(pid_t host) {
  if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
  // The host may have died before the call, and then nothing would come. 0 is a
  // parent outside of our pid namespace.
  const int64_t parent = syscall(SYS_getppid);
  if (parent != host && parent != 0) syscall(SYS_exit_group, 127);
  return true;
}

GOPLUGIN_IN_CHILD bool SetStdio(const ChildPlan& plan) {
  if (plan.stdin_fd >= 0) {
    if (syscall(SYS_dup3, plan.stdin_fd, 0, 0) < 0) return false;
  } else {
    // Inherited means inherited, also if the host marked it close-on-exec.
    syscall(SYS_fcntl, 0, F_SETFD, 0);
  }
  return syscall(SYS_dup3, plan.stdout_fd, 1, 0) >= 0 &&
         syscall(SYS_dup3, plan.stderr_fd, 2, 0) >= 0;
}

// The number that `name` spells, or -1.
GOPLUGIN_IN_CHILD int ParseDescriptor(const char* name) {
  int value = 0;
  if (*name == '\0') return -1;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9') return -1;
    value = value * 10 + (*name - '0');
  }
  return value;
}

// Without close_range (Linux before 5.9, old seccomp profiles). Costs as much
// as there are open descriptors; counting up to RLIMIT_NOFILE can take seconds.
GOPLUGIN_IN_CHILD bool MarkDescriptorsOfProc() {
  const int64_t directory = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd",
                                    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0) return false;
  // Each record: inode (8), offset (8), length (2), type (1), name.
  constexpr int64_t kLengthAt = 16, kNameAt = 19;
  alignas(8) char buffer[4096];
  int64_t size = 0;
  while ((size = syscall(SYS_getdents64, directory, buffer, sizeof(buffer))) >
         0) {
    for (int64_t at = 0; at + kNameAt < size;) {
      const char* record = buffer + at;
      const int fd = ParseDescriptor(record + kNameAt);
      if (fd > 2) syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
      at += *reinterpret_cast<const uint16_t*>(record + kLengthAt);
    }
  }
  return size == 0;
}

// Closes all but those in between; they are close-on-exec already.
GOPLUGIN_IN_CHILD bool CloseAllBut(const Items<int>& kept) {
  unsigned int next = 3;
  for (size_t i = 0; i < kept.count; ++i) {
    const auto fd = static_cast<unsigned int>(kept.first[i]);
    if (fd > next && syscall(SYS_close_range, next, fd - 1, 0U) != 0) {
      return false;
    }
    next = fd + 1;
  }
  return syscall(SYS_close_range, next, ~0U, 0U) == 0;
}

// Closed here and not by the exec, which may take its time: a child that stands
// still in it would keep the host's sockets, locks and pipes open.
GOPLUGIN_IN_CHILD bool CloseHostDescriptors(const ChildPlan& plan) {
  return CloseAllBut(plan.kept_descriptors) || MarkDescriptorsOfProc();
}

GOPLUGIN_IN_CHILD bool JoinControlGroups(ChildArguments& arguments) {
  const Items<int>& groups = arguments.plan->control_groups;
  for (size_t i = 0; i < groups.count; ++i) {
    arguments.item = i;
    // 0 is the writer.
    if (syscall(SYS_write, groups.first[i], "0", 1) < 0) return false;
  }
  return true;
}

GOPLUGIN_IN_CHILD bool SetResourceLimits(ChildArguments& arguments) {
  const Items<Command::ResourceLimit>& limits = arguments.plan->resource_limits;
  for (size_t i = 0; i < limits.count; ++i) {
    arguments.item = i;
    // The kernel's own structure, with 64 bits everywhere.
    uint64_t limit[2];
    limit[0] = limits.first[i].soft;
    limit[1] = limits.first[i].hard;
    if (syscall(SYS_prlimit64, 0, limits.first[i].resource, limit, nullptr) !=
        0) {
      return false;
    }
  }
  return true;
}

GOPLUGIN_IN_CHILD bool AddNice(int increment) {
  // The system call, unlike libc's function, answers 40 to 1 for -20 to 19.
  const int64_t answer = syscall(SYS_getpriority, PRIO_PROCESS, 0);
  if (answer < 0) return false;
  return syscall(SYS_setpriority, PRIO_PROCESS, 0, 20 - answer + increment) ==
         0;
}

// Not libc's functions: they change every thread that libc knows of.
GOPLUGIN_IN_CHILD bool ChangeUser(ChildArguments& arguments) {
  const ChildPlan& plan = *arguments.plan;
  const uint32_t gid = plan.user->gid;
  const uint32_t uid = plan.user->uid;
  arguments.step = SpawnStep::kGroups;
  if (syscall(kSetGroups, plan.groups.count, plan.groups.first) != 0) {
    return false;
  }
  arguments.step = SpawnStep::kGid;
  if (syscall(kSetGid, gid, gid, gid) != 0) return false;
  arguments.step = SpawnStep::kUid;
  return syscall(kSetUid, uid, uid, uid) == 0;
}

// Into numbers that were marked close-on-exec, or closed, before.
GOPLUGIN_IN_CHILD bool SetDescriptors(ChildArguments& arguments) {
  const Items<Command::Descriptor>& all = arguments.plan->descriptors;
  for (size_t i = 0; i < all.count; ++i) {
    arguments.item = i;
    if (syscall(SYS_dup3, all.first[i].host, all.first[i].child, 0) < 0) {
      return false;
    }
  }
  return true;
}

GOPLUGIN_IN_CHILD void Exec(const ChildPlan& plan) {
  if (plan.program_fd < 0) {
    syscall(SYS_execve, plan.program, plan.argv, plan.environment);
  } else {
    syscall(SYS_execveat, plan.program_fd, "", plan.argv, plan.environment,
            AT_EMPTY_PATH);
  }
}

GOPLUGIN_IN_CHILD void EmptySignalMask() {
  volatile KernelSignalSet none;
  for (unsigned char volatile& byte : none.bytes) byte = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
}

// As a child of the caller's thread would be. What the kernel refuses stays as
// it is: a control group may have taken processors away since, and an ordinary
// user may not raise what the spawner's thread has.
GOPLUGIN_IN_CHILD void TakeCallersScheduling(ChildArguments& arguments) {
  const ChildPlan& plan = *arguments.plan;
  if (plan.affinity.count > 0 &&
      syscall(SYS_sched_setaffinity, 0, plan.affinity.count,
              plan.affinity.first) != 0) {
    arguments.affinity_error = errno;
  }
  if (plan.scheduling != nullptr &&
      syscall(SYS_sched_setattr, 0, plan.scheduling, 0) != 0) {
    arguments.scheduling_error = errno;
  }
}

// What the child is limited to, and who it is.
GOPLUGIN_IN_CHILD bool Restrict(ChildArguments& arguments) {
  const ChildPlan& plan = *arguments.plan;
  arguments.step = SpawnStep::kControlGroup;
  if (!JoinControlGroups(arguments)) return false;
  arguments.step = SpawnStep::kResourceLimit;
  if (!SetResourceLimits(arguments)) return false;
  arguments.step = SpawnStep::kNice;
  if (plan.nice != 0 && !AddNice(plan.nice)) return false;
  if (plan.user != nullptr && !ChangeUser(arguments)) return false;
  arguments.step = SpawnStep::kDeathSignal;
  // After the change of user, which clears it.
  if (plan.die_with_host && !SetDeathSignal(arguments.host)) return false;
  arguments.step = SpawnStep::kWorkingDirectory;
  if (plan.working_directory != nullptr &&
      syscall(SYS_chdir, plan.working_directory) != 0) {
    return false;
  }
  arguments.step = SpawnStep::kNoNewPrivileges;
  return !plan.no_new_privileges ||
         syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// Goes through the steps in order; returns at the first that fails.
GOPLUGIN_IN_CHILD void SetUpAndExec(ChildArguments& arguments) {
  const ChildPlan& plan = *arguments.plan;
  ResetSignals(plan.ignored_signals);
  TakeCallersScheduling(arguments);
  arguments.step = SpawnStep::kCallersDirectory;
  if (plan.callers_directory >= 0 &&
      syscall(SYS_fchdir, plan.callers_directory) != 0) {
    return;
  }
  arguments.step = SpawnStep::kProcessGroup;
  if (plan.own_group && syscall(SYS_setpgid, 0, 0) != 0) return;
  arguments.step = SpawnStep::kStdio;
  if (!SetStdio(plan)) return;
  if (!Restrict(arguments)) return;
  arguments.step = SpawnStep::kCloseDescriptors;
  if (!CloseHostDescriptors(plan)) return;
  arguments.step = SpawnStep::kInherit;
  if (!SetDescriptors(arguments)) return;
  arguments.step = SpawnStep::kExec;
  EmptySignalMask();
  // Whoever gives up after this look kills; before, there may have been nobody
  // to kill yet.
  if (__atomic_load_n(&arguments.given_up, __ATOMIC_SEQ_CST) != 0) {
    errno = ECANCELED;
    return;
  }
  Exec(plan);
}

}  // namespace

GOPLUGIN_IN_CHILD int ChildMain(void* data) {
  ChildArguments& arguments = *static_cast<ChildArguments*>(data);
  __atomic_store_n(&arguments.runs, 1, __ATOMIC_SEQ_CST);
  SetUpAndExec(arguments);
  arguments.error_number = errno;
  syscall(SYS_exit_group, 127);
  return 127;
}

}  // namespace goplugin::internal
