#include "goplugin/internal/lifecycle/handshake_steps.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/support/loop/run_on_loop.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(60);

class HandshakeStepsTest : public ::testing::Test {
 protected:
  HandshakeStepsTest() {
    OnLoop([this] {
      steps = std::make_unique<HandshakeSteps>(
          loop, lane, [] { return nullptr; }, options,
          [this](const ParsedOutput& parsed) {
            ++steps_done;
            noise += parsed.noise;
          });
    });
  }
  ~HandshakeStepsTest() override {
    OnLoop([this] { steps.reset(); });
  }

  void OnLoop(absl::FunctionRef<void()> task) {
    testing::RunOnLoop(loop, task);
  }
  // How many steps are done when the loop has come to rest.
  int Feed(const std::string& bytes) {
    OnLoop([&] { steps->Feed(bytes); });
    int done = 0;
    OnLoop([&] { done = steps_done; });
    return done;
  }
  void WaitForLane() {
    SteadyNotification done;
    lane->Post([&done] { done.Notify(); });
    done.WaitFor(kSoon);
  }

  EventLoop loop;
  Pool pool{loop, "goplugin-test", 2};
  const std::shared_ptr<Lane> lane = Lane::Create(pool);
  const ClientOptions options;
  std::unique_ptr<HandshakeSteps> steps;
  int steps_done = 0;
  std::string noise;
};

// Of a long line that comes in small pieces the loop parses none but the first:
// it is the line that takes its time.
TEST_F(HandshakeStepsTest, ALongLineIsTheLanesHoweverItIsCut) {
  SteadyNotification goes_on;
  lane->Post([&goes_on] { goes_on.WaitFor(kSoon); });
  const std::string piece(3000, 'x');
  EXPECT_EQ(Feed(piece), 1);
  EXPECT_EQ(Feed(piece), 1);
  EXPECT_EQ(Feed(piece + "\n"), 1);
  goes_on.Notify();
  WaitForLane();
  OnLoop([] {});
  WaitForLane();
  EXPECT_EQ(Feed("short\n"), 4);
  EXPECT_EQ(noise, piece + piece + piece + "\nshort\n");
}

}  // namespace
}  // namespace goplugin::internal
