#ifndef GOPLUGIN_INTERNAL_PROCESS_SCHEDULING_H_
#define GOPLUGIN_INTERNAL_PROCESS_SCHEDULING_H_

#include <cstdint>
#include <vector>

#include "absl/types/optional.h"

namespace goplugin::internal {

// How the kernel schedules a thread, as sched_setattr takes it: the first
// version of its structure.
struct Scheduling {
  uint32_t size = sizeof(Scheduling);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(Scheduling) == 48, "the size is part of the request");

// SCHED_FLAG_RESET_ON_FORK, of Scheduling::flags.
inline constexpr uint64_t kResetOnFork = 1;

// Of the calling thread: the processors that it may run on, as the kernel
// writes them (empty: not known), and its policy (nullopt: not known).
std::vector<unsigned char> ReadAffinity();
absl::optional<Scheduling> ReadScheduling();

// For the calling thread. False, with errno, when the kernel refuses.
bool SetAffinity(const std::vector<unsigned char>& affinity);
bool SetScheduling(const Scheduling& scheduling);

// The policy of a thread that gets its time by a deadline, which is nothing
// that another thread can inherit.
bool IsByDeadline(const Scheduling& scheduling);

// What a child of a thread with `own` has, as the kernel decides it at a fork.
// After a deadline: the default policy.
Scheduling Inherited(const Scheduling& own);

bool IsSame(const Scheduling& a, const Scheduling& b);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_SCHEDULING_H_
