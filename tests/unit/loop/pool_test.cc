#include "goplugin/internal/loop/pool.h"

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

TEST(PoolTest, OneLaneRunsInOrderOneAtATime) {
  EventLoop loop;
  Pool pool(loop, "goplugin-call", kMaxThreads);
  const auto lane = Lane::Create(pool);
  constexpr int kCount = 1000;
  std::vector<int> order;
  absl::Notification done;
  for (int i = 0; i < kCount; ++i) {
    lane->Post([&order, i] { order.push_back(i); });
  }
  lane->Post([&done] { done.Notify(); });
  done.WaitForNotification();
  ASSERT_EQ(order.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(order[i], i);
}

TEST(PoolTest, CallbacksRunOnSdkThreads) {
  EventLoop loop;
  Pool pool(loop, "goplugin-call", kMaxThreads);
  const auto lane = Lane::Create(pool);
  bool on_sdk_thread = false;
  absl::Notification done;
  lane->Post([&] {
    on_sdk_thread = OnSdkThread();
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_TRUE(on_sdk_thread);
  EXPECT_FALSE(OnSdkThread());
}

// More stuck callbacks than there are threads at first, and everybody else is
// still served.
TEST(PoolTest, StuckCallbacksDelayNobodyElse) {
  EventLoop loop;
  Pool pool(loop, "goplugin-call", kMaxThreads);
  absl::Notification release;
  constexpr int kStuck = kMaxThreads - 1;
  absl::BlockingCounter stuck(kStuck);
  std::vector<std::shared_ptr<Lane>> lanes;
  for (int i = 0; i < kStuck; ++i) {
    lanes.push_back(Lane::Create(pool));
    lanes.back()->Post([&] {
      stuck.DecrementCount();
      release.WaitForNotification();
    });
  }
  stuck.Wait();
  const auto other = Lane::Create(pool);
  absl::Notification done;
  other->Post([&] { done.Notify(); });
  done.WaitForNotification();
  EXPECT_FALSE(pool.WaitUntilIdle(absl::ZeroDuration()));
  release.Notify();
  EXPECT_TRUE(pool.WaitUntilIdle(absl::InfiniteDuration()));
}

// The newest droppable ones stay, the loss is told in its place, and
// completions are never lost.
TEST(PoolTest, TooMuchOutputDropsTheOldestAndSaysSo) {
  EventLoop loop;
  Pool pool(loop, "goplugin-call", kMaxThreads);
  size_t dropped = 0;
  const auto lane = std::make_shared<Lane>(
      pool, [&dropped](size_t count) { dropped += count; });
  absl::Notification blocked;
  absl::Notification release;
  lane->Post([&] {
    blocked.Notify();
    release.WaitForNotification();
  });
  blocked.WaitForNotification();

  constexpr size_t kPiece = Lane::kMaxDroppableBytes / 4 - Lane::kCallbackBytes;
  std::vector<int> ran;
  size_t dropped_before_first = 0;
  lane->Post([&ran] { ran.push_back(-1); });
  for (int i = 0; i < 10; ++i) {
    lane->PostDroppable(/*entries=*/3, kPiece, [&, i] {
      if (dropped_before_first == 0) dropped_before_first = dropped;
      ran.push_back(i);
    });
  }
  absl::Notification done;
  lane->Post([&done] { done.Notify(); });
  release.Notify();
  done.WaitForNotification();
  EXPECT_EQ(ran, (std::vector<int>{-1, 6, 7, 8, 9}));
  EXPECT_EQ(dropped, 6u * 3u);
  EXPECT_EQ(dropped_before_first, dropped);
}

// Of a plugin that writes byte for byte.
TEST(PoolTest, SmallOutputTakesNoMoreMemoryThanMuchOfIt) {
  EventLoop loop;
  Pool pool(loop, "goplugin-call", kMaxThreads);
  const auto lane = Lane::Create(pool);
  absl::Notification blocked;
  absl::Notification release;
  lane->Post([&] {
    blocked.Notify();
    release.WaitForNotification();
  });
  blocked.WaitForNotification();
  const auto alive = std::make_shared<int>(0);
  for (size_t i = 0; i < Lane::kMaxDroppableBytes / 16; ++i) {
    lane->PostDroppable(/*entries=*/1, /*bytes=*/1, [alive] {});
  }
  // Each takes a hundred bytes and more, whatever it holds.
  EXPECT_LE(alive.use_count(),
            static_cast<long>(Lane::kMaxDroppableBytes / 100));
  release.Notify();
  EXPECT_TRUE(pool.WaitUntilIdle(absl::InfiniteDuration()));
}

TEST(PoolTest, TheEndRunsWhatWasPosted) {
  int ran = 0;
  {
    EventLoop loop;
    Pool pool(loop, "goplugin-call", kMaxThreads);
    const auto lane = Lane::Create(pool);
    for (int i = 0; i < 100; ++i) lane->Post([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace goplugin::internal
