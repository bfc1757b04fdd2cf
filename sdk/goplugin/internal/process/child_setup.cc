#include "goplugin/internal/process/child_setup.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
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

#if defined(__SANITIZE_THREAD__)
#define GOPLUGIN_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GOPLUGIN_THREAD_SANITIZER 1
#endif
#endif

#if defined(GOPLUGIN_THREAD_SANITIZER) && defined(__GLIBC__)
// Newer ThreadSanitizers intercept clone() and treat every child as a fork,
// with its own copy of the sanitizer's locks. glibc has the function under a
// second name.
extern "C" int GoPluginClone(int (*)(void*), void*, int, void*,
                             ...) __asm__("__clone");
#else
#define GoPluginClone clone
#endif

// Values of the kernel's interface, for older headers.
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace goplugin::internal {
namespace {

constexpr size_t kStackBytes = size_t{64} * 1024;
constexpr int kSignals = _NSIG;  // one more than the highest number

// The kernel's signal set; unlike libc's it holds the two or three signals that
// libc keeps for itself.
struct KernelSignalSet {
  unsigned char bytes[_NSIG / 8];
};

// In memory that both sides see, also when the rest of it is a copy.
struct ChildArguments {
  const ChildPlan* plan;
  pid_t host;
  // Written by the child, read after it is gone or executed.
  SpawnStep step;
  size_t item;
  int error_number;
};

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

GOPLUGIN_IN_CHILD void ResetSignals() {
  // A zeroed kernel sigaction, whatever the architecture's layout: SIG_DFL, no
  // flags, an empty mask. A handler left in place would run in the host's
  // memory. Nothing is gained by asking for the old one first.
  volatile uint64_t action[8];
  for (int i = 0; i < 8; ++i) action[i] = 0;
  for (int signal = 1; signal < kSignals; ++signal) {
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

GOPLUGIN_IN_CHILD bool CloseHostDescriptors(const ChildPlan& plan) {
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
  // Linux 5.9 and 5.10 know the call but not the flag.
  const bool all_done = plan.program_fd < 0 && plan.descriptors.count == 0;
  if (all_done && syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return true;
  return MarkDescriptorsOfProc();
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
  ResetSignals();
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
  Exec(plan);
}

GOPLUGIN_IN_CHILD int ChildMain(void* data) {
  ChildArguments& arguments = *static_cast<ChildArguments*>(data);
  SetUpAndExec(arguments);
  arguments.error_number = errno;
  syscall(SYS_exit_group, 127);
  return 127;
}

// ---- In the host.

// A stack for the child, with a page below it that faults, and the arguments
// above it. The host's own stack can't be used: the child would overwrite
// frames that this thread returns to. Shared memory, for the answer of a child
// that has a copy of everything else.
class ChildStack {
 public:
  ChildStack() : guard_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* memory = mmap(nullptr, guard_ + kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<char*>(memory);
    mprotect(memory_, guard_, PROT_NONE);
  }
  ~ChildStack() {
    if (memory_ != nullptr) munmap(memory_, guard_ + kStackBytes);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;

  // False when there was no memory; errno says so.
  bool valid() const { return memory_ != nullptr; }
  ChildArguments* arguments() const {
    return reinterpret_cast<ChildArguments*>(top());
  }
  void* top() const {
    static_assert(sizeof(ChildArguments) <= kArgumentBytes);
    return memory_ + guard_ + kStackBytes - kArgumentBytes;
  }

 private:
  // A stack starts at a multiple of 16.
  static constexpr size_t kArgumentBytes = 64;

  size_t guard_;
  char* memory_ = nullptr;
};

// Blocks every signal for this thread, so that the child starts with all of
// them blocked and runs no handler of the host.
class SignalBlock {
 public:
  SignalBlock() {
    KernelSignalSet all;
    for (unsigned char& byte : all.bytes) byte = 0xff;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, sizeof(all));
  }
  ~SignalBlock() {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr,
            sizeof(before_));
  }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  KernelSignalSet before_ = {};
};

// The child's pid; *pidfd stays -1 where the kernel gives none. errno is set
// when the pid is -1.
pid_t Clone(const ChildStack& stack, int* pidfd) {
  ChildArguments* arguments = stack.arguments();
  const int flags =
      CLONE_VFORK | SIGCHLD | (arguments->plan->user == nullptr ? CLONE_VM : 0);
  SignalBlock block;
  pid_t pid = GoPluginClone(ChildMain, stack.top(), flags | CLONE_PIDFD,
                            arguments, pidfd, nullptr, nullptr);
  if (pid < 0 && (errno == EINVAL || errno == EPERM || errno == ENOSYS)) {
    *pidfd = -1;
    pid = GoPluginClone(ChildMain, stack.top(), flags, arguments, nullptr,
                        nullptr, nullptr);
  }
  return pid;
}

}  // namespace

CloneResult CloneAndExec(const ChildPlan& plan) {
  CloneResult result;
  const ChildStack stack;
  if (!stack.valid()) {
    result.error_number = errno;
    return result;
  }
  ChildArguments* arguments = stack.arguments();
  *arguments = {&plan, getpid(), SpawnStep::kClone, 0, 0};
  int pidfd = -1;
  result.pid = Clone(stack, &pidfd);
  result.error_number = result.pid < 0 ? errno : arguments->error_number;
  result.step = result.pid < 0 ? SpawnStep::kClone : arguments->step;
  result.item = arguments->item;
  result.pidfd.reset(pidfd);
  return result;
}

}  // namespace goplugin::internal
