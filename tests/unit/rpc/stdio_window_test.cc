#include "goplugin/internal/rpc/stdio_window.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr size_t kMiB = size_t{1024} * 1024;

// Waits as a stream does: one wait after the other.
class Waiter final : public CallQueue::Tag {
 public:
  explicit Waiter(std::shared_ptr<StdioWindow> window)
      : window_(std::move(window)) {}
  void OnComplete(bool ok) override {
    window_->OnWaited(ok);
    timed_out_ = ok;
    over_.Notify();
  }
  bool TimedOut() {
    over_.WaitForNotification();
    return timed_out_;
  }

 private:
  const std::shared_ptr<StdioWindow> window_;
  bool timed_out_ = false;
  absl::Notification over_;
};

class StdioWindowTest : public ::testing::Test {
 protected:
  // Hands on pieces of 1 MiB.
  void Fill(int pieces) {
    for (int i = 0; i < pieces; ++i) held_.push_back(window_->Add(kMiB));
  }

  std::atomic<std::uint64_t> progress_{0};
  const std::shared_ptr<StdioWindow> window_ =
      std::make_shared<StdioWindow>([this] { return progress_.load(); });
  std::vector<std::shared_ptr<void>> held_;
};

TEST_F(StdioWindowTest, ThereIsRoomAtFirst) {
  Waiter waiter(window_);
  CallQueue queue;
  Fill(3);
  EXPECT_FALSE(window_->Wait(queue, waiter));
  Fill(1);
  held_.clear();
  EXPECT_FALSE(window_->Wait(queue, waiter));
}

// A hundred bytes and more for each piece, whatever it holds.
TEST_F(StdioWindowTest, SmallPiecesTakeUpMoreThanTheyHold) {
  Waiter waiter(window_);
  CallQueue queue;
  for (size_t i = 0; i < StdioWindow::kSize / 100; ++i) {
    held_.push_back(window_->Add(1));
  }
  ASSERT_TRUE(window_->Wait(queue, waiter));
  held_.clear();
  EXPECT_FALSE(waiter.TimedOut());
}

TEST_F(StdioWindowTest, AWaitEndsWithRoom) {
  Waiter waiter(window_);
  CallQueue queue;
  Fill(5);
  ASSERT_TRUE(window_->Wait(queue, waiter));
  std::thread sink([this] { held_.clear(); });
  EXPECT_FALSE(waiter.TimedOut());
  sink.join();
}

TEST_F(StdioWindowTest, ASinkThatDoesNotMoveIsNotWaitedForTwice) {
  Waiter waiter(window_);
  Waiter again(window_);
  CallQueue queue;
  Fill(4);
  const absl::Time start = absl::Now();
  ASSERT_TRUE(window_->Wait(queue, waiter));
  EXPECT_TRUE(waiter.TimedOut());
  EXPECT_GE(absl::Now() - start, StdioWindow::kPatience);
  EXPECT_FALSE(window_->Wait(queue, again));
  EXPECT_TRUE(window_->Overflows());
  // It has caught up.
  held_.clear();
  Fill(4);
  ASSERT_TRUE(window_->Wait(queue, again));
  held_.clear();
  EXPECT_FALSE(again.TimedOut());
}

TEST_F(StdioWindowTest, ASinkThatIsBusyWithOtherThingsIsWaitedFor) {
  Waiter waiter(window_);
  Waiter again(window_);
  CallQueue queue;
  Fill(4);
  ASSERT_TRUE(window_->Wait(queue, waiter));
  ++progress_;
  EXPECT_TRUE(waiter.TimedOut());
  EXPECT_FALSE(window_->Overflows());
  ASSERT_TRUE(window_->Wait(queue, again));
  held_.clear();
  EXPECT_FALSE(again.TimedOut());
}

TEST_F(StdioWindowTest, CancelEndsTheWaitAndAnyLaterOne) {
  Waiter waiter(window_);
  CallQueue queue;
  Fill(4);
  ASSERT_TRUE(window_->Wait(queue, waiter));
  window_->Cancel();
  EXPECT_FALSE(waiter.TimedOut());
  EXPECT_FALSE(window_->Wait(queue, waiter));
}

}  // namespace
}  // namespace goplugin::internal
