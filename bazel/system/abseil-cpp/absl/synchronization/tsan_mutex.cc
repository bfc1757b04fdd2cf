// Tells ThreadSanitizer about Abseil's locks (--config=tsan only), and how to
// run: by the environment it would not hear it in a sandbox.
//
// The system's Abseil is not instrumented, so TSan sees neither the lock nor
// the order it makes, and reports every access to guarded data as a race. The
// functions here take the place of the library's for the whole program, since
// the dynamic linker looks in the executable first; each calls the original
// between two annotations.
//
// Written against Abseil 20220623 and 20260526, which has fewer functions, and
// other names. Where another release has again others, this does not compile,
// or the reports come back; nothing is hidden.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/base/config.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

// Lock cycles: Abseil finds them itself. Thread leaks: gRPC's joins aren't
// seen. And no second of sleep at each exit: a plugin has two seconds to end.
extern "C" const char* __tsan_default_options();  // NOLINT: its name
extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1:detect_deadlocks=0:"
         "report_thread_leaks=0:atexit_sleep_ms=0:history_size=4:handle_segv=0";
}

namespace {

constexpr unsigned kWrite = 0;
constexpr unsigned kRead = __tsan_mutex_read_lock;

// The library's version of a method that this file defines. Found by the
// method's own symbol, so that Abseil's versioned namespace isn't spelled here.
template <typename Method>
Method Original(Method replacement) {
  void* address;
  std::memcpy(&address, &replacement, sizeof(address));
  Dl_info info;
  void* original = nullptr;
  if (dladdr(address, &info) != 0 && info.dli_sname != nullptr) {
    original = dlsym(RTLD_NEXT, info.dli_sname);
  }
  if (original == nullptr) {
    std::fprintf(stderr, "tsan_mutex.cc: no original for %s\n",
                 info.dli_sname != nullptr ? info.dli_sname : "a method");
    std::abort();
  }
  std::memcpy(&replacement, &original, sizeof(original));
  return replacement;
}

// Abseil's methods call one another, and such calls arrive here as well. Only
// the outermost is annotated.
thread_local int depth = 0;

class Outermost {
 public:
  Outermost() : is_outermost_(depth++ == 0) {}
  ~Outermost() { --depth; }
  Outermost(const Outermost&) = delete;
  Outermost& operator=(const Outermost&) = delete;
  explicit operator bool() const { return is_outermost_; }

 private:
  const bool is_outermost_;
};

// Each of these calls the original while the lock changes hands. TSan
// disregards what happens in between.

template <typename Call>
auto Acquire(void* mutex, unsigned flags, Call call) {
  Outermost outermost;
  if (outermost) __tsan_mutex_pre_lock(mutex, flags);
  auto result = call();
  if (outermost) __tsan_mutex_post_lock(mutex, flags, 0);
  return result;
}

template <typename Call>
auto TryAcquire(void* mutex, unsigned flags, Call call) {
  Outermost outermost;
  flags |= __tsan_mutex_try_lock;
  if (outermost) __tsan_mutex_pre_lock(mutex, flags);
  const bool locked = call();
  if (!locked) flags |= __tsan_mutex_try_lock_failed;
  if (outermost) __tsan_mutex_post_lock(mutex, flags, 0);
  return locked;
}

template <typename Call>
auto Release(void* mutex, unsigned flags, Call call) {
  Outermost outermost;
  if (outermost) __tsan_mutex_pre_unlock(mutex, flags);
  auto result = call();
  if (outermost) __tsan_mutex_post_unlock(mutex, flags);
  return result;
}

// A wait gives the lock up and has it back at the end. (A wait under a reader
// lock is annotated as if it were a writer's; this project has none.)
template <typename Call>
auto GiveUpAndAcquire(void* mutex, Call call) {
  Outermost outermost;
  if (!outermost) return call();
  __tsan_mutex_pre_unlock(mutex, kWrite);
  __tsan_mutex_post_unlock(mutex, kWrite);
  __tsan_mutex_pre_lock(mutex, kWrite);
  auto result = call();
  __tsan_mutex_post_lock(mutex, kWrite, 0);
  return result;
}

// For the callers above, which want a value to hand back.
struct Nothing {};

}  // namespace

// The old names are inline functions now, which call these.
#if ABSL_LTS_RELEASE_VERSION >= 20260000
#define GOPLUGIN_NEW_NAMES 1
#define LOCK lock
#define UNLOCK unlock
#define TRY_LOCK try_lock
#define LOCK_SHARED lock_shared
#define UNLOCK_SHARED unlock_shared
#define TRY_LOCK_SHARED try_lock_shared
#else
#define GOPLUGIN_NEW_NAMES 0
#define LOCK Lock
#define UNLOCK Unlock
#define TRY_LOCK TryLock
#define LOCK_SHARED ReaderLock
#define UNLOCK_SHARED ReaderUnlock
#define TRY_LOCK_SHARED ReaderTryLock
#endif

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::LOCK() {
  static const auto original = Original(&Mutex::LOCK);
  Acquire(this, kWrite, [this] {
    (this->*original)();
    return Nothing();
  });
}

void Mutex::UNLOCK() {
  static const auto original = Original(&Mutex::UNLOCK);
  Release(this, kWrite, [this] {
    (this->*original)();
    return Nothing();
  });
}

bool Mutex::TRY_LOCK() {
  static const auto original = Original(&Mutex::TRY_LOCK);
  return TryAcquire(this, kWrite, [this] { return (this->*original)(); });
}

void Mutex::LOCK_SHARED() {
  static const auto original = Original(&Mutex::LOCK_SHARED);
  Acquire(this, kRead, [this] {
    (this->*original)();
    return Nothing();
  });
}

void Mutex::UNLOCK_SHARED() {
  static const auto original = Original(&Mutex::UNLOCK_SHARED);
  Release(this, kRead, [this] {
    (this->*original)();
    return Nothing();
  });
}

bool Mutex::TRY_LOCK_SHARED() {
  static const auto original = Original(&Mutex::TRY_LOCK_SHARED);
  return TryAcquire(this, kRead, [this] { return (this->*original)(); });
}

#if GOPLUGIN_NEW_NAMES

bool Mutex::AwaitCommon(const Condition& condition,
                        synchronization_internal::KernelTimeout timeout) {
  static const auto original = Original(&Mutex::AwaitCommon);
  return GiveUpAndAcquire(
      this, [&] { return (this->*original)(condition, timeout); });
}

bool Mutex::LockWhenCommon(const Condition& condition,
                           synchronization_internal::KernelTimeout timeout,
                           bool write) {
  static const auto original = Original(&Mutex::LockWhenCommon);
  return Acquire(this, write ? kWrite : kRead,
                 [&] { return (this->*original)(condition, timeout, write); });
}

bool CondVar::WaitCommon(Mutex* mutex,
                         synchronization_internal::KernelTimeout timeout) {
  static const auto original = Original(&CondVar::WaitCommon);
  return GiveUpAndAcquire(mutex,
                          [&] { return (this->*original)(mutex, timeout); });
}

#else

void Mutex::Await(const Condition& condition) {
  static const auto original = Original(&Mutex::Await);
  GiveUpAndAcquire(this, [&] {
    (this->*original)(condition);
    return Nothing();
  });
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static const auto original = Original(&Mutex::AwaitWithTimeout);
  return GiveUpAndAcquire(
      this, [&] { return (this->*original)(condition, timeout); });
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static const auto original = Original(&Mutex::AwaitWithDeadline);
  return GiveUpAndAcquire(
      this, [&] { return (this->*original)(condition, deadline); });
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto original = Original(&Mutex::LockWhen);
  Acquire(this, kWrite, [&] {
    (this->*original)(condition);
    return Nothing();
  });
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static const auto original = Original(&Mutex::LockWhenWithTimeout);
  return Acquire(this, kWrite,
                 [&] { return (this->*original)(condition, timeout); });
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  static const auto original = Original(&Mutex::LockWhenWithDeadline);
  return Acquire(this, kWrite,
                 [&] { return (this->*original)(condition, deadline); });
}

void Mutex::ReaderLockWhen(const Condition& condition) {
  static const auto original = Original(&Mutex::ReaderLockWhen);
  Acquire(this, kRead, [&] {
    (this->*original)(condition);
    return Nothing();
  });
}

bool Mutex::ReaderLockWhenWithTimeout(const Condition& condition,
                                      Duration timeout) {
  static const auto original = Original(&Mutex::ReaderLockWhenWithTimeout);
  return Acquire(this, kRead,
                 [&] { return (this->*original)(condition, timeout); });
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& condition,
                                       Time deadline) {
  static const auto original = Original(&Mutex::ReaderLockWhenWithDeadline);
  return Acquire(this, kRead,
                 [&] { return (this->*original)(condition, deadline); });
}

void CondVar::Wait(Mutex* mutex) {
  static const auto original = Original(&CondVar::Wait);
  GiveUpAndAcquire(mutex, [&] {
    (this->*original)(mutex);
    return Nothing();
  });
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto original = Original(&CondVar::WaitWithTimeout);
  return GiveUpAndAcquire(mutex,
                          [&] { return (this->*original)(mutex, timeout); });
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto original = Original(&CondVar::WaitWithDeadline);
  return GiveUpAndAcquire(mutex,
                          [&] { return (this->*original)(mutex, deadline); });
}

#endif  // GOPLUGIN_NEW_NAMES

// These two have a path that takes no lock.

void Notification::Notify() {
  static const auto original = Original(&Notification::Notify);
  __tsan_release(this);
  // HasBeenNotified() is inline: the caller's instrumented code loads the flag,
  // which lies behind the mutex.
  __tsan_release(reinterpret_cast<char*>(this) + sizeof(Mutex));
  (this->*original)();
}

void Notification::WaitForNotification() const {
  static const auto original = Original(&Notification::WaitForNotification);
  (this->*original)();
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static const auto original =
      Original(&Notification::WaitForNotificationWithTimeout);
  const bool notified = (this->*original)(timeout);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static const auto original =
      Original(&Notification::WaitForNotificationWithDeadline);
  const bool notified = (this->*original)(deadline);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  static const auto original = Original(&BlockingCounter::DecrementCount);
  __tsan_release(this);
  return (this->*original)();
}

void BlockingCounter::Wait() {
  static const auto original = Original(&BlockingCounter::Wait);
  (this->*original)();
  __tsan_acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
