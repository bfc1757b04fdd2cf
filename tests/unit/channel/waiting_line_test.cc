#include "goplugin/internal/channel/waiting_line.h"

#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "goplugin/internal/channel/relay_desk.h"
#include "goplugin/internal/channel/router_changes.h"
#include "tests/unit/channel/fake_router.h"

namespace goplugin::internal {
namespace {

// The thread of the test is the relay's.
class WaitingLineTest : public testing::Test {
 protected:
  WaitingLineTest() { desk_->Open(&queue_); }
  ~WaitingLineTest() override {
    desk_->Close();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) static_cast<RelayStep*>(tag)->Run(ok);
  }

  // The router says that it has changed; all in the line look.
  void Change() {
    router_->Tell();
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue_.Next(&tag, &ok));
    static_cast<RelayStep*>(tag)->Run(ok);
  }

  const std::shared_ptr<FakeRouter> router_ = std::make_shared<FakeRouter>();
  const std::shared_ptr<RelayDesk> desk_ = std::make_shared<RelayDesk>();
  grpc::CompletionQueue queue_;
  const std::shared_ptr<WaitingLine> line_ = std::make_shared<WaitingLine>(
      router_, std::make_shared<RouterChanges>(router_), desk_,
      /*max_waiting=*/3);
};

class FakeWaiter final : public WaitingLine::Waiter {
 public:
  bool Look(CallRouter& /*router*/) override {
    ++looks_;
    if (on_look_) on_look_();
    return done_;
  }
  bool IsCall() const override { return true; }

  int looks_ = 0;
  bool done_ = false;
  std::function<void()> on_look_;
};

TEST_F(WaitingLineTest, AllLookAtEachChangeInTheOrderInWhichTheyCame) {
  std::vector<int> order;
  FakeWaiter waiters[3];
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(line_->Enter(waiters[i]));
    waiters[i].on_look_ = [&order, i] { order.push_back(i); };
  }
  Change();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  for (FakeWaiter& waiter : waiters) line_->Leave(waiter);
}

TEST_F(WaitingLineTest, WhoHasWhatItWantsLeavesRoomForAnother) {
  FakeWaiter waiters[4];
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(line_->Enter(waiters[i]));
  EXPECT_FALSE(line_->Enter(waiters[3]));
  waiters[1].done_ = true;
  Change();
  EXPECT_TRUE(line_->Enter(waiters[3]));
  const int looks = waiters[1].looks_;
  waiters[1].done_ = false;
  Change();
  EXPECT_EQ(waiters[1].looks_, looks);
  for (FakeWaiter& waiter : waiters) line_->Leave(waiter);
}

TEST_F(WaitingLineTest, WhoLeavesWhileOthersLookIsNotAskedAnyMore) {
  FakeWaiter first;
  auto second = std::make_unique<FakeWaiter>();
  ASSERT_TRUE(line_->Enter(first));
  ASSERT_TRUE(line_->Enter(*second));
  first.on_look_ = [&] {
    if (second == nullptr) return;
    line_->Leave(*second);
    second = nullptr;
  };
  Change();
  EXPECT_EQ(second, nullptr);
  Change();
  line_->Leave(first);
}

TEST_F(WaitingLineTest, WhoComesWhileOthersLookLooksOnceByItself) {
  FakeWaiter first;
  FakeWaiter second;
  ASSERT_TRUE(line_->Enter(first));
  first.on_look_ = [&] {
    if (second.looks_ > 0) return;
    EXPECT_TRUE(line_->Enter(second));
  };
  Change();
  EXPECT_EQ(second.looks_, 1);
  Change();
  EXPECT_EQ(second.looks_, 2);
  line_->Leave(first);
  line_->Leave(second);
}

}  // namespace
}  // namespace goplugin::internal
