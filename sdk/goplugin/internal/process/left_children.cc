#include "goplugin/internal/process/left_children.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <list>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/process/descendants.h"
#include "goplugin/internal/process/exit.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

struct LeftChild {
  ChildProcess process;
  bool killed = false;
};

struct LeftChildren {
  const pid_t owner = getpid();
  absl::Mutex mutex;
  std::list<LeftChild> children ABSL_GUARDED_BY(mutex);
  // The descriptors of the LeftChildrenWatches.
  std::vector<int> watches ABSL_GUARDED_BY(mutex);
};

// Never destroyed: clients may be statics of the host.
LeftChildren& TheLeftChildren() {
  static auto* left = new LeftChildren;
  return *left;
}

// Without effect for a watch or a child that has no descriptor.
void Watch(int epoll, const LeftChild& child) {
  epoll_event event = {};
  event.events = EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_ADD, child.process.pidfd.get(), &event);
}

// By hand: closing is not enough where a child that stands still before its
// exec has a copy.
void Unwatch(int epoll, const LeftChild& child) {
  epoll_ctl(epoll, EPOLL_CTL_DEL, child.process.pidfd.get(), nullptr);
}

void Keep(LeftChild child) {
  child.process.stdin_pipe.reset();
  child.process.stdout_pipe.reset();
  child.process.stderr_pipe.reset();
  LeftChildren& left = TheLeftChildren();
  if (getpid() != left.owner) return;
  MutexLock lock(left.mutex);
  for (const int epoll : left.watches) Watch(epoll, child);
  left.children.push_back(std::move(child));
}

}  // namespace

void KeepDetached(ChildProcess child) { Keep({std::move(child), false}); }

void EndChild(ChildProcess child) {
  Descendants().Signal(child, /*reaped=*/false, SIGKILL);
  // Most have ended by the time they are looked at.
  if (TryReap(child).has_value()) return;
  Keep({std::move(child), true});
}

size_t ReapLeftChildren() {
  LeftChildren& left = TheLeftChildren();
  if (getpid() != left.owner) return 0;
  MutexLock lock(left.mutex);
  size_t killed = 0;
  for (auto child = left.children.begin(); child != left.children.end();) {
    if (!TryReap(child->process).has_value()) {
      if (child->killed) ++killed;
      ++child;
      continue;
    }
    for (const int epoll : left.watches) Unwatch(epoll, *child);
    child = left.children.erase(child);
  }
  return killed;
}

void AwaitKilledChildren(absl::Duration timeout) {
  // For children that can't be watched.
  constexpr absl::Duration kPoll = absl::Milliseconds(10);
  const Stopwatch stopwatch;
  if (ReapLeftChildren() == 0) return;
  const LeftChildrenWatch watch;
  while (ReapLeftChildren() > 0) {
    const absl::Duration left = stopwatch.Remaining(timeout);
    if (left <= absl::ZeroDuration()) return;
    pollfd ended = {watch.descriptor(), POLLIN, 0};
    poll(
        &ended, 1,
        static_cast<int>(absl::ToInt64Milliseconds(std::min(left, kPoll))) + 1);
  }
}

LeftChildrenWatch::LeftChildrenWatch() {
  LeftChildren& left = TheLeftChildren();
  if (getpid() != left.owner) return;
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return;
  MutexLock lock(left.mutex);
  left.watches.push_back(epoll_.get());
  for (const LeftChild& child : left.children) Watch(epoll_.get(), child);
}

LeftChildrenWatch::~LeftChildrenWatch() {
  LeftChildren& left = TheLeftChildren();
  if (getpid() != left.owner) return;
  MutexLock lock(left.mutex);
  auto& watches = left.watches;
  watches.erase(std::remove(watches.begin(), watches.end(), epoll_.get()),
                watches.end());
}

}  // namespace goplugin::internal
