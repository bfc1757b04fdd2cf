#include "goplugin/internal/process/scheduling.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

// Values of the kernel's interface, for older headers.
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

namespace goplugin::internal {
namespace {

// Room for as many processors as any kernel is built for, times 8.
constexpr size_t kMostAffinityBytes = size_t{8192};

bool IsRealTime(uint32_t policy) {
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

}  // namespace

std::vector<unsigned char> ReadAffinity() {
  std::vector<unsigned char> mask(128);
  while (mask.size() <= kMostAffinityBytes) {
    const int64_t size =
        syscall(SYS_sched_getaffinity, 0, mask.size(), mask.data());
    if (size > 0) {
      mask.resize(static_cast<size_t>(size));
      return mask;
    }
    // The kernel has more processors than the mask has bits.
    if (errno != EINVAL) break;
    mask.resize(mask.size() * 2);
  }
  return {};
}

absl::optional<Scheduling> ReadScheduling() {
  Scheduling own;
  if (syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0) != 0) {
    return absl::nullopt;
  }
  return own;
}

bool SetAffinity(const std::vector<unsigned char>& affinity) {
  return syscall(SYS_sched_setaffinity, 0, affinity.size(), affinity.data()) ==
         0;
}

bool SetScheduling(const Scheduling& scheduling) {
  return syscall(SYS_sched_setattr, 0, &scheduling, 0) == 0;
}

bool IsByDeadline(const Scheduling& scheduling) {
  return scheduling.policy == SCHED_DEADLINE;
}

Scheduling Inherited(const Scheduling& own) {
  Scheduling child;
  const bool resets = (own.flags & kResetOnFork) != 0;
  if (IsByDeadline(own) || (resets && IsRealTime(own.policy))) return child;
  child.policy = own.policy;
  child.nice = resets && own.nice < 0 ? 0 : own.nice;
  child.priority = own.priority;
  return child;
}

bool IsSame(const Scheduling& a, const Scheduling& b) {
  return a.policy == b.policy && a.nice == b.nice && a.priority == b.priority;
}

}  // namespace goplugin::internal
