#include "goplugin/internal/process/clone_attempt.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/versions/mutex_lock.h"

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

namespace goplugin::internal {
namespace {

constexpr size_t kStackBytes = size_t{64} * 1024;

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

// Whether the child lives and has not executed anything yet. The kernel says so
// in the flags of /proc/PID/stat; false where that can't be read.
bool IsOnItsWay(pid_t pid) {
  constexpr unsigned kForkedButNoExec = 0x40;  // PF_FORKNOEXEC
  char text[512];
  std::snprintf(text, sizeof(text), "/proc/%d/stat", static_cast<int>(pid));
  const UniqueFd file(open(text, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  const ssize_t count = read(file.get(), text, sizeof(text) - 1);
  text[count > 0 ? count : 0] = '\0';
  // What is before may hold anything: the program's name in brackets.
  const char* fields = std::strrchr(text, ')');
  char state = 'X';
  unsigned flags = 0;
  // The kernel writes numbers.
  // NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion)
  if (fields == nullptr || std::sscanf(fields + 1, " %c %*d %*d %*d %*d %*d %u",
                                       &state, &flags) != 2) {
    return false;
  }
  return state != 'Z' && state != 'X' && (flags & kForkedButNoExec) != 0;
}

}  // namespace

// A stack for the child, with a page below it that faults, and the arguments
// above it. The host's own stack can't be used: the child would overwrite
// frames that this thread returns to. Shared memory, for the answer of a child
// that has a copy of everything else.
class CloneAttempt::Stack {
 public:
  Stack() : guard_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* memory = mmap(nullptr, guard_ + kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
      error_number_ = errno;
      return;
    }
    memory_ = static_cast<char*>(memory);
    mprotect(memory_, guard_, PROT_NONE);
  }
  ~Stack() {
    if (memory_ != nullptr) munmap(memory_, guard_ + kStackBytes);
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // Not 0 when there was no memory.
  int error_number() const { return error_number_; }
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
  int error_number_ = 0;
};

CloneAttempt::CloneAttempt() : stack_(std::make_unique<Stack>()) {}

CloneAttempt::~CloneAttempt() = default;

CloneResult CloneAttempt::Run(const ChildPlan& plan) {
  CloneResult result;
  result.error_number = stack_->error_number();
  if (result.error_number != 0) return result;
  ChildArguments* arguments = stack_->arguments();
  arguments->plan = &plan;
  arguments->host = getpid();
  arguments->step = SpawnStep::kClone;
  arguments->item = 0;
  arguments->error_number = 0;
  arguments->affinity_error = 0;
  arguments->scheduling_error = 0;
  result.pid = Clone(plan);
  result.error_number = result.pid < 0 ? errno : arguments->error_number;
  result.step = result.pid < 0 ? SpawnStep::kClone : arguments->step;
  result.item = arguments->item;
  result.affinity_error = arguments->affinity_error;
  result.scheduling_error = arguments->scheduling_error;
  MutexLock lock(mutex_);
  __atomic_store_n(&arguments->runs, 0, __ATOMIC_SEQ_CST);
  // What a call that has failed has left there is nobody's.
  if (result.pid > 0) result.pidfd.reset(pidfd_);
  pidfd_ = -1;
  pid_ = -1;
  return result;
}

// The child's pid; pidfd_ stays -1 where the kernel gives none. errno is set
// when the pid is -1.
pid_t CloneAttempt::Clone(const ChildPlan& plan) {
  ChildArguments* arguments = stack_->arguments();
  const int flags =
      CLONE_VFORK | SIGCHLD | (plan.user == nullptr ? CLONE_VM : 0);
  SignalBlock block;
  pid_t pid = GoPluginClone(ChildMain, stack_->top(), flags | CLONE_PIDFD,
                            arguments, &pidfd_, nullptr, nullptr);
  if (pid < 0 && (errno == EINVAL || errno == EPERM || errno == ENOSYS)) {
    // GiveUp may look at it already.
    __atomic_store_n(&pidfd_, -1, __ATOMIC_SEQ_CST);
    pid = GoPluginClone(ChildMain, stack_->top(), flags | CLONE_PARENT_SETTID,
                        arguments, &pid_, nullptr, nullptr);
    // What gives no pidfd may give no vfork either (qemu-user forks), and what
    // the child has to say would come too late.
    while (pid > 0 && IsOnItsWay(pid)) usleep(1000);
  }
  return pid;
}

void CloneAttempt::GiveUp() {
  if (stack_->error_number() != 0) return;
  ChildArguments* arguments = stack_->arguments();
  MutexLock lock(mutex_);
  __atomic_store_n(&arguments->given_up, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&arguments->runs, __ATOMIC_SEQ_CST) == 0) return;
  ChildProcess child;
  child.pid = __atomic_load_n(&pid_, __ATOMIC_SEQ_CST);
  child.pidfd.reset(__atomic_load_n(&pidfd_, __ATOMIC_SEQ_CST));
  KillUnreaped(child);
  child.pidfd.release();
}

}  // namespace goplugin::internal
