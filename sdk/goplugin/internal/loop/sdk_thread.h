#ifndef GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_
#define GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_

#include <pthread.h>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace goplugin::internal {

// A thread of the SDK. One that runs is joined or detached before it is
// destroyed. Not thread-safe.
class SdkThread {
 public:
  // None.
  SdkThread() = default;
  explicit SdkThread(pthread_t thread) : thread_(thread), runs_(true) {}
  // Ends the process if the thread runs: nobody would wait for it.
  ~SdkThread();
  SdkThread(SdkThread&& other) noexcept;
  SdkThread& operator=(SdkThread&& other) noexcept;
  SdkThread(const SdkThread&) = delete;
  SdkThread& operator=(const SdkThread&) = delete;

  // Neither joined nor detached yet.
  bool joinable() const { return runs_; }
  // Whether the caller is this thread.
  bool IsCurrent() const;
  void Join();
  // Lets it go: it must own all that it touches.
  void Detach();

 private:
  pthread_t thread_ = {};
  bool runs_ = false;
};

// Starts a thread of the SDK: named `name` (at most 15 bytes, "goplugin-..."),
// with every signal blocked, so that the host's handlers never run on it, and
// with the processors and the scheduling that the process was started with, not
// its maker's.
// Errors: kResources where the system gives no thread.
absl::StatusOr<SdkThread> StartSdkThread(const char* name,
                                         absl::AnyInvocable<void()> body);

// Whether the caller runs on a thread that StartSdkThread made. Blocking there
// could wait for itself.
bool OnSdkThread();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LOOP_SDK_THREAD_H_
