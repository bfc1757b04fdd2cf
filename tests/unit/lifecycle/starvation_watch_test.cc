#include "goplugin/internal/lifecycle/starvation_watch.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/support/loop/run_on_loop.h"
#include "tests/unit/lifecycle/holding_server.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(60);

// A plugin whose health checks are answered when the test wants it.
class StarvationWatchTest : public ::testing::Test {
 protected:
  StarvationWatch::Setup NewSetup() {
    StarvationWatch::Setup setup{loop};
    setup.steps = Lane::Create(pool);
    setup.early_call = [] { return false; };
    setup.control = [this] { return CallPlace::Queue(queue); };
    setup.channel = [this] { return server.channel(); };
    setup.begin_work = [] { return nullptr; };
    setup.close_output = [] { return true; };
    setup.open_output = [] {};
    setup.close_broker = [] { return true; };
    setup.explain = [](const std::string&) {};
    setup.warn = [](const std::string&) {};
    return setup;
  }
  void Start(StarvationWatch::Setup setup) {
    loop.Post([this, setup = std::move(setup)]() mutable {
      watch = std::make_shared<StarvationWatch>(std::move(setup));
      watch->Start();
    });
  }
  ~StarvationWatchTest() override {
    testing::RunOnLoop(loop, [this] {
      if (watch != nullptr) watch->End();
      watch.reset();
    });
  }

  // Whatever is said is an answer.
  void Answer() { server.AnswerAll(grpc::Status(grpc::UNKNOWN, "alive")); }

  HoldingServer server;
  CallQueue queue;
  EventLoop loop;
  Pool pool{loop, "test-pool", 2};
  std::shared_ptr<StarvationWatch> watch;
};

// One that answers as soon as the streams are open again, and never before,
// would have them closed and opened for ever.
TEST_F(StarvationWatchTest, WhoIsLateByItselfIsGivenMoreTime) {
  int closed = 0;
  Stopwatch since_opened;
  absl::Duration open_for;
  SteadyNotification closed_again;
  StarvationWatch::Setup setup = NewSetup();
  setup.close_output = [&] {
    if (++closed == 2) {
      open_for = since_opened.Elapsed();
      closed_again.Notify();
    }
    return true;
  };
  setup.open_output = [&] {
    since_opened = Stopwatch();
    Answer();
  };
  Start(std::move(setup));
  ASSERT_TRUE(closed_again.WaitFor(kSoon));
  // At first it was 2 s.
  EXPECT_GE(open_for, absl::Seconds(3.5));
}

// Such as a machine that stood still.
TEST_F(StarvationWatchTest, OneLateAnswerCostsNoOutput) {
  std::atomic<int> closed{0};
  std::atomic<int> warned{0};
  SteadyNotification is_closed;
  SteadyNotification opened;
  StarvationWatch::Setup setup = NewSetup();
  setup.close_output = [&] {
    if (++closed == 1) is_closed.Notify();
    return true;
  };
  setup.open_output = [&] { opened.Notify(); };
  setup.warn = [&](const std::string&) { ++warned; };
  Start(std::move(setup));
  ASSERT_TRUE(is_closed.WaitFor(kSoon));
  bool is_open = false;
  for (const Stopwatch since; !is_open && since.Elapsed() < kSoon;) {
    Answer();
    is_open = opened.WaitFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(is_open);
  // As long as it would take to be taken for starved.
  for (const Stopwatch since; since.Elapsed() < absl::Seconds(5);) {
    Answer();
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(closed, 1);
  // Of what may be lost.
  EXPECT_EQ(warned, 1);
}

}  // namespace
}  // namespace goplugin::internal
