#include "goplugin/internal/loop/callback_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/sdk_thread.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMaxThreads = 8;

std::shared_ptr<CallbackQueue> MakeQueue(CallbackPool& pool) {
  return std::make_shared<CallbackQueue>(pool, [](size_t /*dropped*/) {});
}

TEST(CallbackPoolTest, OneQueueRunsInOrderOneAtATime) {
  EventLoop loop;
  CallbackPool pool(loop, "goplugin-call", kMaxThreads);
  const auto queue = MakeQueue(pool);
  constexpr int kCount = 1000;
  std::vector<int> order;
  absl::Notification done;
  for (int i = 0; i < kCount; ++i) {
    queue->Post([&order, i] { order.push_back(i); });
  }
  queue->Post([&done] { done.Notify(); });
  done.WaitForNotification();
  ASSERT_EQ(order.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(order[i], i);
}

TEST(CallbackPoolTest, CallbacksRunOnSdkThreads) {
  EventLoop loop;
  CallbackPool pool(loop, "goplugin-call", kMaxThreads);
  const auto queue = MakeQueue(pool);
  bool on_sdk_thread = false;
  absl::Notification done;
  queue->Post([&] {
    on_sdk_thread = OnSdkThread();
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_TRUE(on_sdk_thread);
  EXPECT_FALSE(OnSdkThread());
}

// More stuck callbacks than there are threads at first, and everybody else is
// still served.
TEST(CallbackPoolTest, StuckCallbacksDelayNobodyElse) {
  EventLoop loop;
  CallbackPool pool(loop, "goplugin-call", kMaxThreads);
  absl::Notification release;
  constexpr int kStuck = kMaxThreads - 1;
  absl::BlockingCounter stuck(kStuck);
  std::vector<std::shared_ptr<CallbackQueue>> queues;
  for (int i = 0; i < kStuck; ++i) {
    queues.push_back(MakeQueue(pool));
    queues.back()->Post([&] {
      stuck.DecrementCount();
      release.WaitForNotification();
    });
  }
  stuck.Wait();
  const auto other = MakeQueue(pool);
  absl::Notification done;
  other->Post([&] { done.Notify(); });
  done.WaitForNotification();
  EXPECT_FALSE(pool.WaitUntilIdle(absl::ZeroDuration()));
  release.Notify();
  EXPECT_TRUE(pool.WaitUntilIdle(absl::InfiniteDuration()));
}

// The newest droppable ones stay, the loss is told in its place, and
// completions are never lost.
TEST(CallbackPoolTest, TooMuchOutputDropsTheOldestAndSaysSo) {
  EventLoop loop;
  CallbackPool pool(loop, "goplugin-call", kMaxThreads);
  size_t dropped = 0;
  const auto queue = std::make_shared<CallbackQueue>(
      pool, [&dropped](size_t count) { dropped += count; });
  absl::Notification blocked;
  absl::Notification release;
  queue->Post([&] {
    blocked.Notify();
    release.WaitForNotification();
  });
  blocked.WaitForNotification();

  constexpr size_t kPiece = CallbackQueue::kMaxDroppableBytes / 4;
  std::vector<int> ran;
  size_t dropped_before_first = 0;
  queue->Post([&ran] { ran.push_back(-1); });
  for (int i = 0; i < 10; ++i) {
    queue->PostDroppable(/*entries=*/3, kPiece, [&, i] {
      if (dropped_before_first == 0) dropped_before_first = dropped;
      ran.push_back(i);
    });
  }
  absl::Notification done;
  queue->Post([&done] { done.Notify(); });
  release.Notify();
  done.WaitForNotification();
  EXPECT_EQ(ran, (std::vector<int>{-1, 6, 7, 8, 9}));
  EXPECT_EQ(dropped, 6u * 3u);
  EXPECT_EQ(dropped_before_first, dropped);
}

TEST(CallbackPoolTest, TheEndRunsWhatWasPosted) {
  int ran = 0;
  {
    EventLoop loop;
    CallbackPool pool(loop, "goplugin-call", kMaxThreads);
    const auto queue = MakeQueue(pool);
    for (int i = 0; i < 100; ++i) queue->Post([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace goplugin::internal
