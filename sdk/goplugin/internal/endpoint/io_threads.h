#ifndef GOPLUGIN_INTERNAL_ENDPOINT_IO_THREADS_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_IO_THREADS_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace goplugin::internal {

// Who is told that a descriptor is ready.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  // On an io thread, one call at a time. `events` are epoll's; each is told
  // when it begins (EPOLLET), and of several at once perhaps only once.
  virtual void OnEvents(std::uint32_t events) = 0;
};

class IoThread;

// A place on one of the io threads, for one descriptor at a time. The threads
// are the process's: the first place starts one, as many as there are
// processors, at most four, come with further ones, and one that has had no
// place for a while leaves. Thread-safe.
class IoPlace {
 public:
  // Null where there is no thread to be had, in a forked child, and after
  // HaltIoThreads.
  static std::unique_ptr<IoPlace> Take();
  // Not in a forked child, whose locks may be held by nobody.
  ~IoPlace();
  IoPlace(const IoPlace&) = delete;
  IoPlace& operator=(const IoPlace&) = delete;

  // Begins to tell `handler`, for as long as there is one, of the borrowed
  // `fd`, which nothing is told of yet: that it can be read, has ended, and,
  // with `writable`, that it can be written to. False where the system has no
  // room for another watch.
  bool Watch(int fd, bool writable, std::weak_ptr<IoHandler> handler);
  // Whether to tell that it can be written to; tells what holds anew.
  void TellWritable(bool writable);
  // Tells what holds anew: others on the thread come first.
  void TellAgain();
  // Tells the handler soon, of nothing: it has something to do on its thread.
  void CallSoon();
  // Nothing is told after; a call under way may go on.
  void Unwatch();

 private:
  explicit IoPlace(std::shared_ptr<IoThread> thread);

  const std::shared_ptr<IoThread> thread_;
  absl::Mutex mutex_;
  int fd_ ABSL_GUARDED_BY(mutex_) = -1;
  std::uint64_t id_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writable_ ABSL_GUARDED_BY(mutex_) = false;
};

// For the exit of the process: from now on nobody is told of anything. Waits
// for the calls under way, but for one that it is called from, at most `grace`.
void HaltIoThreads(absl::Duration grace);
// From when it begins.
bool IoThreadsHalted();

// Whether the process was forked from the one that had the io threads first.
bool ForkedFromIoThreads();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_IO_THREADS_H_
