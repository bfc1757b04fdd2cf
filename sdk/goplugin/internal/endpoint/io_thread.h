#ifndef GOPLUGIN_INTERNAL_ENDPOINT_IO_THREAD_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_IO_THREAD_H_

#include <pthread.h>
#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/io_threads.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"

namespace goplugin::internal {

// One io thread: waits in epoll and tells handlers. It owns all that it
// touches, and nobody joins it: the last place may be given up on it.
// Thread-safe.
class IoThread : public std::enable_shared_from_this<IoThread> {
 public:
  // Null where there is no thread or no descriptor to be had. `may_leave` says
  // whether the thread, idle for a while, is to end.
  static std::shared_ptr<IoThread> Start(
      absl::AnyInvocable<bool(IoThread&)> may_leave);
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // The descriptor's id, 0 where it can't be watched.
  std::uint64_t Add(int fd, std::uint32_t events,
                    std::weak_ptr<IoHandler> handler);
  void Change(int fd, std::uint64_t id, std::uint32_t events);
  void Remove(int fd, std::uint64_t id);
  // Tells the descriptor's handler of nothing, once however often it is asked
  // before.
  void CallSoon(std::uint64_t id);

  // Waits for `grace` from now on, and asks `may_leave` then.
  void BeIdle();
  void Halt();
  // Until no handler is told of anything; true at once on this thread.
  bool WaitUntilCalm(absl::Duration grace);

  // How many places it has; the pool's matter.
  size_t places = 0;

 private:
  IoThread() = default;

  bool Open();
  void Run();
  void Dispatch(const epoll_event& event);
  void CallAsked();
  void Wake();
  // Takes the wake-up back. True when the thread is to wait for a while only.
  bool Woken();
  bool halted();

  UniqueFd epoll_;
  UniqueFd wake_;
  absl::AnyInvocable<bool(IoThread&)> may_leave_;
  absl::Mutex mutex_;
  SteadyCondition changed_;
  pthread_t thread_ ABSL_GUARDED_BY(mutex_) = {};
  std::unordered_map<std::uint64_t, std::weak_ptr<IoHandler>> handlers_
      ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those to be called soon.
  std::set<std::uint64_t> asked_ ABSL_GUARDED_BY(mutex_);
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  bool halted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_IO_THREAD_H_
