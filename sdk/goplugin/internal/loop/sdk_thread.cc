#include "goplugin/internal/loop/sdk_thread.h"

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace goplugin::internal {
namespace {

thread_local bool on_sdk_thread = false;

}  // namespace

std::thread StartSdkThread(const char* name, absl::AnyInvocable<void()> body) {
  // A new thread inherits the mask of its maker: block before, restore after.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, body = std::move(body)]() mutable {
    on_sdk_thread = true;
    pthread_setname_np(pthread_self(), name);
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

bool OnSdkThread() { return on_sdk_thread; }

}  // namespace goplugin::internal
