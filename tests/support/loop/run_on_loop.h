#ifndef TESTS_SUPPORT_LOOP_RUN_ON_LOOP_H_
#define TESTS_SUPPORT_LOOP_RUN_ON_LOOP_H_

#include "absl/functional/function_ref.h"
#include "absl/synchronization/notification.h"
#include "goplugin/internal/loop/event_loop.h"

namespace goplugin::testing {

// Returns when `task` has run on the loop's thread.
inline void RunOnLoop(internal::EventLoop& loop,
                      absl::FunctionRef<void()> task) {
  absl::Notification ran;
  loop.Post([&] {
    task();
    ran.Notify();
  });
  ran.WaitForNotification();
}

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_LOOP_RUN_ON_LOOP_H_
