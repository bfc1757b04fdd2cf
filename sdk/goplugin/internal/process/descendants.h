#ifndef GOPLUGIN_INTERNAL_PROCESS_DESCENDANTS_H_
#define GOPLUGIN_INTERNAL_PROCESS_DESCENDANTS_H_

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/internal/process/child_process.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// What a child has started: the plugin itself, where a script that does not
// exec stands before it (a virtual environment's, npm's, a debugger's), and the
// workers of one that forks, in whatever process groups they are.
//
// Each is held by a process descriptor before it is asked whose child it is.
// Not found are those whose parents had ended before (a daemon's), or that were
// cloned as their parent's siblings (CLONE_PARENT), any but 256, what 20 ms
// are too short for, and all where the system has no process descriptors or no
// /proc/PID/task/*/children, or /proc is another pid namespace's. Those of
// another user can't be signalled, and are let go.
//
// Reads what the kernel has in memory, for no longer than that at a time.
// Thread safety: none.
class Descendants {
 public:
  // How long Stop is worth being called: a fork of a large process that was
  // under way takes its time.
  static constexpr absl::Duration kStopTime = absl::Milliseconds(50);

  // Looks for those of `child`. `reaped`: the child is gone, its number
  // anybody's.
  void Find(const ChildProcess& child, bool reaped);
  bool empty() const { return found_.empty(); }
  // Those that another search has found.
  void Add(Descendants others);

  // Before SIGKILL: stops the child and those that it finds. True when there
  // can't be another one: each stands still, and has none that is not known. To
  // be called again in a moment until then, or kStopTime is over; what is
  // stopped must be killed. A host that waits for any child, with WUNTRACED,
  // may see the child stop.
  bool Stop(const ChildProcess& child, bool reaped);

  // Looks once more, and sends `signal` to the child and to all that were ever
  // found.
  void Signal(const ChildProcess& child, bool reaped, int signal);

  // Forgets those that have ended, and reaps those of them that are this
  // process's children by now: it may be their reaper (a container's first
  // process). How many are left.
  size_t Reap();

 private:
  struct Process {
    pid_t pid = 0;
    UniqueFd pidfd = {};
    // How often it was seen ended, and to be reaped by somebody else.
    int seen_ended = 0;
  };
  // One look at all of them.
  struct Look;

  bool Knows(pid_t pid) const;
  void LookAt(pid_t pid, int pidfd, Look& look);
  void LookAtAll(const ChildProcess& child, bool reaped, Look& look);
  void AddChildren(pid_t parent, int pidfd, Look& look);
  void AddChild(pid_t pid, pid_t parent, Look& look);

  std::vector<Process> found_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_DESCENDANTS_H_
