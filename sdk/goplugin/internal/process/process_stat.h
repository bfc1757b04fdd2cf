#ifndef GOPLUGIN_INTERNAL_PROCESS_PROCESS_STAT_H_
#define GOPLUGIN_INTERNAL_PROCESS_PROCESS_STAT_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/types/optional.h"

namespace goplugin::internal {

// What /proc/PID/stat tells of a process to everybody.
struct ProcessStat {
  // 0: of another pid namespace.
  pid_t parent = 0;
  // In clock ticks since boot.
  uint64_t start_time = 0;
  // User and system time, in clock ticks; its children's is not in it.
  uint64_t processor_ticks = 0;
  // Resident memory.
  int64_t memory_pages = 0;
  // It was not waited for yet.
  bool has_ended = false;
  // By a signal or a debugger.
  bool is_stopped = false;
};

// Whether the numbers in /proc are those that this process's calls give and
// take. In a pid namespace without a /proc of its own they are other
// processes'.
bool ProcHasOurNumbers();

// nullopt when there is no such process, or /proc does not tell: also where it
// has other numbers.
absl::optional<ProcessStat> ReadProcessStat(pid_t pid);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_PROCESS_STAT_H_
