#ifndef GOPLUGIN_INTERNAL_PROCESS_CLONE_ATTEMPT_H_
#define GOPLUGIN_INTERNAL_PROCESS_CLONE_ATTEMPT_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/process/child_setup.h"
#include "goplugin/internal/process/unique_fd.h"

namespace goplugin::internal {

struct CloneResult {
  // -1 when there is no child at all. With an error and a pid, there is a child
  // that ends by itself and has to be reaped.
  pid_t pid = -1;
  UniqueFd pidfd = {};
  // 0 once the program has been executed, or the child was killed on the way.
  int error_number = 0;
  SpawnStep step = SpawnStep::kClone;
  // Which of the step's items it was: the third resource limit.
  size_t item = 0;
  // As in ChildArguments.
  int affinity_error = 0;
  int scheduling_error = 0;
};

// Makes a child, and lets others give it up while that lasts: an exec may stand
// still as long as a file system or a virus scanner likes.
class CloneAttempt {
 public:
  CloneAttempt();
  ~CloneAttempt();
  CloneAttempt(const CloneAttempt&) = delete;
  CloneAttempt& operator=(const CloneAttempt&) = delete;

  // Makes the child with the semantics of vfork: it borrows our memory, and
  // this thread stands still until it executes the program or gives up. That
  // takes the same time in a host of any size, and no other thread of the host
  // is stopped. With a `user` it gets a copy of our memory instead, as by fork:
  // new credentials make the memory's owner "not dumpable", and that must not
  // be us.
  //
  // For one thread at a time; again after a failure.
  CloneResult Run(const ChildPlan& plan);

  // A child that Run is making is killed, or ends in ECANCELED; one that it
  // will make will do the same. Without effect on one that it has returned.
  // Thread-safe, does not block.
  void GiveUp();

 private:
  class Stack;

  pid_t Clone(const ChildPlan& plan);

  std::unique_ptr<Stack> stack_;
  absl::Mutex mutex_;
  // Where the kernel writes whom it has made, before the child runs; the thread
  // that stands in the call can't tell. Valid once the child runs, taken away
  // under the lock when the call has returned.
  int pidfd_ = -1;
  pid_t pid_ = -1;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_CLONE_ATTEMPT_H_
