#include "goplugin/internal/endpoint/io_thread.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

// The thread's own eventfd; descriptors that it watches begin with 1.
constexpr std::uint64_t kWakeId = 0;
constexpr int kMaxEvents = 32;
// A connection that comes soon after the last has gone finds the thread.
constexpr int kLingerMs = 50;

}  // namespace

std::shared_ptr<IoThread> IoThread::Start(
    absl::AnyInvocable<bool(IoThread&)> may_leave) {
  const std::shared_ptr<IoThread> made(new IoThread);
  made->may_leave_ = std::move(may_leave);
  if (!made->Open()) return nullptr;
  absl::StatusOr<SdkThread> thread =
      StartSdkThread("goplugin-io", [made] { made->Run(); });
  if (!thread.ok()) return nullptr;
  thread->Detach();
  return made;
}

bool IoThread::Open() {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) return false;
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0;
}

std::uint64_t IoThread::Add(int fd, std::uint32_t events,
                            std::weak_ptr<IoHandler> handler) {
  epoll_event event = {};
  event.events = events;
  {
    MutexLock lock(mutex_);
    event.data.u64 = ++last_id_;
    handlers_[event.data.u64] = std::move(handler);
  }
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) {
    return event.data.u64;
  }
  MutexLock lock(mutex_);
  handlers_.erase(event.data.u64);
  return 0;
}

void IoThread::Change(int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void IoThread::Remove(int fd, std::uint64_t id) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  MutexLock lock(mutex_);
  handlers_.erase(id);
}

void IoThread::CallSoon(std::uint64_t id) {
  MutexLock lock(mutex_);
  if (asked_.insert(id).second) Wake();
}

void IoThread::CallAsked() {
  std::set<std::uint64_t> asked;
  {
    MutexLock lock(mutex_);
    asked.swap(asked_);
  }
  for (const std::uint64_t id : asked) {
    epoll_event nothing = {};
    nothing.data.u64 = id;
    Dispatch(nothing);
  }
}

void IoThread::BeIdle() {
  MutexLock lock(mutex_);
  idle_ = true;
  Wake();
}

void IoThread::Halt() {
  MutexLock lock(mutex_);
  halted_ = true;
  Wake();
}

bool IoThread::WaitUntilCalm(absl::Duration grace) {
  MutexLock lock(mutex_);
  if (pthread_equal(thread_, pthread_self()) != 0) return true;
  return changed_.WaitFor(mutex_, grace, [this] {
    mutex_.AssertReaderHeld();
    return !telling_;
  });
}

void IoThread::Wake() {
  // Full, it is readable already.
  static_cast<void>(eventfd_write(wake_.get(), 1));
}

bool IoThread::Woken() {
  eventfd_t count = 0;
  static_cast<void>(eventfd_read(wake_.get(), &count));
  MutexLock lock(mutex_);
  return std::exchange(idle_, false);
}

bool IoThread::halted() {
  MutexLock lock(mutex_);
  return halted_;
}

void IoThread::Run() {
  {
    MutexLock lock(mutex_);
    thread_ = pthread_self();
  }
  bool idle = false;
  epoll_event events[kMaxEvents];
  while (!halted()) {
    const int count =
        epoll_wait(epoll_.get(), events, kMaxEvents, idle ? kLingerMs : -1);
    if (count < 0 && errno != EINTR) return;
    if (count == 0) {
      if (may_leave_(*this)) return;
      idle = false;
    }
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 != kWakeId) {
        Dispatch(events[i]);
      } else {
        idle = Woken() || idle;
        CallAsked();
      }
    }
  }
  // A thread that ends now would meet OpenSSL's end.
  for (;;) pause();
}

void IoThread::Dispatch(const epoll_event& event) {
  std::shared_ptr<IoHandler> handler;
  {
    MutexLock lock(mutex_);
    const auto found = handlers_.find(event.data.u64);
    if (halted_ || found == handlers_.end()) return;
    handler = found->second.lock();
    if (handler == nullptr) return;
    telling_ = true;
  }
  handler->OnEvents(event.events);
  // What it may end with it, too.
  handler.reset();
  MutexLock lock(mutex_);
  telling_ = false;
  if (halted_) changed_.NotifyAll();
}

}  // namespace goplugin::internal
