#ifndef GOPLUGIN_INTERNAL_PROCESS_LEFT_CHILDREN_H_
#define GOPLUGIN_INTERNAL_PROCESS_LEFT_CHILDREN_H_

#include <cstddef>

#include "absl/time/time.h"
#include "goplugin/internal/process/child_process.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

// Children that nobody watches any more stay children: when one ends while this
// process lives, its entry in the process table waits to be read. They are kept
// here for that, whoever started them. Their pipes are closed.
//
// All functions are thread-safe, and have no effect in a forked copy of the
// process. None but AwaitKilledChildren blocks.

// Lets the child live.
void KeepDetached(ChildProcess child);

// Kills the child with its Descendants, and keeps it until it is reaped: a
// process that hangs in the kernel ends when that lets it.
void EndChild(ChildProcess child);

// Frees the entries of those that have ended. Called whenever a plugin is
// started, an exit is seen, or a LeftChildrenWatch says so. Returns how many
// killed ones are still there.
size_t ReapLeftChildren();

// Reaps until no killed one is left, or the time is over: for the end of those
// who would reap them. Most have ended by the time they are looked at.
void AwaitKilledChildren(absl::Duration timeout);

// Tells when there is something to reap, so that no zombie stays as long as the
// process lives. For a loop; there may be several.
class LeftChildrenWatch {
 public:
  LeftChildrenWatch();
  ~LeftChildrenWatch();
  LeftChildrenWatch(const LeftChildrenWatch&) = delete;
  LeftChildrenWatch& operator=(const LeftChildrenWatch&) = delete;

  // Readable (poll) while a child that is kept here has ended and was not
  // reaped. -1 where the system gave none, and it does not know of children
  // without a pidfd: call ReapLeftChildren on a timer as well while that
  // returns more than 0.
  int descriptor() const { return epoll_.get(); }

 private:
  UniqueFd epoll_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_LEFT_CHILDREN_H_
