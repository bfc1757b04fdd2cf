#include "goplugin/internal/endpoint/io_threads.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/endpoint/io_thread.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMostThreads = 4;

// 0 before the first place.
std::atomic<pid_t> owner{0};
std::atomic<bool> halted{false};

// The threads that have places. One for all, never destroyed; thread-safe.
class IoThreads {
 public:
  static IoThreads& Instance() {
    static auto* const instance = new IoThreads;
    return *instance;
  }

  // Null where there is none.
  std::shared_ptr<IoThread> Enter() {
    MutexLock lock(mutex_);
    if (halted_) return nullptr;
    const auto emptiest = std::min_element(
        threads_.begin(), threads_.end(),
        [](const auto& a, const auto& b) { return a->places < b->places; });
    const bool is_free = emptiest != threads_.end() && (*emptiest)->places == 0;
    std::shared_ptr<IoThread> thread = is_free ? *emptiest : StartOne();
    if (thread == nullptr && emptiest != threads_.end()) thread = *emptiest;
    if (thread == nullptr) return nullptr;
    if (thread->places++ == 0 && !is_free) threads_.push_back(thread);
    return thread;
  }

  void Leave(IoThread& thread) {
    MutexLock lock(mutex_);
    if (--thread.places == 0) thread.BeIdle();
  }

  void Halt(absl::Duration grace) {
    const Stopwatch stopwatch;
    std::vector<std::shared_ptr<IoThread>> threads;
    {
      MutexLock lock(mutex_);
      halted_ = true;
      threads = threads_;
    }
    for (const auto& thread : threads) thread->Halt();
    for (const auto& thread : threads) {
      thread->WaitUntilCalm(stopwatch.Remaining(grace));
    }
  }

 private:
  std::shared_ptr<IoThread> StartOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t processors = std::thread::hardware_concurrency();
    if (threads_.size() >= std::clamp<size_t>(processors, 1, kMostThreads)) {
      return nullptr;
    }
    return IoThread::Start(
        [this](IoThread& thread) { return MayLeave(thread); });
  }

  bool MayLeave(IoThread& thread) {
    MutexLock lock(mutex_);
    if (thread.places != 0) return false;
    threads_.erase(std::remove_if(threads_.begin(), threads_.end(),
                                  [&thread](const auto& other) {
                                    return other.get() == &thread;
                                  }),
                   threads_.end());
    return true;
  }

  absl::Mutex mutex_;
  bool halted_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<IoThread>> threads_ ABSL_GUARDED_BY(mutex_);
};

constexpr std::uint32_t Events(bool writable) {
  // That it can be written to only when somebody waits for it: a unix socket
  // says so after each read of the other side.
  return static_cast<std::uint32_t>(EPOLLIN) | EPOLLRDHUP | EPOLLET |
         (writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0);
}

}  // namespace

bool ForkedFromIoThreads() {
  const pid_t process = owner;
  return process != 0 && process != getpid();
}

std::unique_ptr<IoPlace> IoPlace::Take() {
  pid_t none = 0;
  owner.compare_exchange_strong(none, getpid());
  if (ForkedFromIoThreads()) return nullptr;
  std::shared_ptr<IoThread> thread = IoThreads::Instance().Enter();
  if (thread == nullptr) return nullptr;
  return std::unique_ptr<IoPlace>(new IoPlace(std::move(thread)));
}

IoPlace::IoPlace(std::shared_ptr<IoThread> thread)
    : thread_(std::move(thread)) {}

IoPlace::~IoPlace() {
  Unwatch();
  IoThreads::Instance().Leave(*thread_);
}

bool IoPlace::Watch(int fd, bool writable, std::weak_ptr<IoHandler> handler) {
  MutexLock lock(mutex_);
  id_ = thread_->Add(fd, Events(writable), std::move(handler));
  if (id_ == 0) return false;
  fd_ = fd;
  writable_ = writable;
  return true;
}

void IoPlace::TellWritable(bool writable) {
  MutexLock lock(mutex_);
  if (fd_ < 0 || writable == writable_) return;
  writable_ = writable;
  thread_->Change(fd_, id_, Events(writable_));
}

void IoPlace::TellAgain() {
  MutexLock lock(mutex_);
  if (fd_ >= 0) thread_->Change(fd_, id_, Events(writable_));
}

void IoPlace::CallSoon() {
  MutexLock lock(mutex_);
  if (fd_ >= 0) thread_->CallSoon(id_);
}

void IoPlace::Unwatch() {
  MutexLock lock(mutex_);
  if (fd_ < 0) return;
  thread_->Remove(fd_, id_);
  fd_ = -1;
}

void HaltIoThreads(absl::Duration grace) {
  if (owner != getpid()) return;
  halted = true;
  IoThreads::Instance().Halt(grace);
}

bool IoThreadsHalted() { return halted; }

}  // namespace goplugin::internal
