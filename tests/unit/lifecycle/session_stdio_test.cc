#include "goplugin/internal/lifecycle/session_stdio.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/rpc/call_queue.h"
#include "goplugin/internal/start/plugin_output.h"
#include "tests/support/loop/run_on_loop.h"
#include "tests/unit/lifecycle/holding_server.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(60);

class SessionStdioTest : public ::testing::Test {
 protected:
  SessionStdioTest() {
    OnLoop([this] {
      SessionStdio::Setup setup{loop};
      setup.output = std::make_shared<PluginOutput>(OutputSinks(), loop, pool,
                                                    Lane::Create(pool));
      setup.progress = [] { return 0; };
      setup.begin_work = [] { return nullptr; };
      setup.wanted = [] { return true; };
      stdio = std::make_shared<SessionStdio>(std::move(setup));
      stdio->Open(queue, server.channel());
    });
  }
  ~SessionStdioTest() override {
    OnLoop([this] {
      stdio->End();
      stdio.reset();
    });
    // The queue waits for streams that were not cancelled.
    server.AnswerAll(grpc::Status::OK);
  }

  void OnLoop(absl::FunctionRef<void()> task) {
    testing::RunOnLoop(loop, task);
  }
  bool TakesStreams(size_t count) const {
    const Stopwatch stopwatch;
    while (server.taken() < count && stopwatch.Elapsed() < kSoon) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    return server.taken() == count;
  }

  HoldingServer server;
  CallQueue queue;
  EventLoop loop;
  Pool pool{loop, "goplugin-test", 2};
  std::shared_ptr<SessionStdio> stdio;
};

// A plugin that cuts its output, and is late then: the stream is opened again
// for the one reason, and must not be for the other.
TEST_F(SessionStdioTest, OpensOneStreamAtATime) {
  ASSERT_TRUE(TakesStreams(1));
  // Not as one that is refused.
  absl::SleepFor(absl::Milliseconds(250));
  server.AnswerAll(grpc::Status(grpc::INTERNAL, "cut"));
  const Stopwatch stopwatch;
  while (server.taken() < 2 && stopwatch.Elapsed() < kSoon) {
    OnLoop([this] { stdio->Resume(); });
    absl::SleepFor(absl::Milliseconds(5));
  }
  // More than the time to the next try.
  absl::SleepFor(absl::Seconds(1.5));
  EXPECT_EQ(server.taken(), 2);
  EXPECT_EQ(server.held(), 1);
}

}  // namespace
}  // namespace goplugin::internal
