// One client gets stuck, in each way that a host, a runner, a file system can
// bring about. It ends by its own deadline, and nobody else notices.

#include <fcntl.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/stalled_exec/stalled_exec.h"
#include "tests/support/stuck/dead_file_system.h"
#include "tests/support/stuck/dead_name_service.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/launching.h"
#include "tests/support/stuck/stuck_runner.h"
#include "tests/support/stuck/stuck_sinks.h"

namespace goplugin::testing {
namespace {

constexpr int kMany = 40;
// One more than the pool has threads to hold up.
constexpr int kMoreThanAll = 257;
constexpr absl::Duration kShort = absl::Milliseconds(500);

ClientOptions ShortStart() {
  ClientOptions options = ShortLadder();
  options.start_timeout = kShort;
  return options;
}

class NeighboursTest : public HarnessTest {
 protected:
  // Whatever the test has found out: all may go on, or nothing ever ends.
  void TearDown() override {
    gate_->Open();
    HarnessTest::TearDown();
  }

  std::shared_ptr<StuckRunner> Runner(StuckRunner::Gates gates,
                                      Command command = ServerPlugin({})) {
    return std::make_shared<StuckRunner>(std::move(command), std::move(gates));
  }

  // A whole life, in time, beside whoever is stuck.
  static void ExpectOthersLive() {
    auto log = std::make_shared<RecordingLogSink>();
    ClientOptions options = PlainOptions();
    options.start_timeout = kPatience;
    options.log_sink = log;
    const absl::Time start = absl::Now();
    Launching launching(ServerPlugin({}), options);
    const std::unique_ptr<Client> client = launching.Take();
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(client->Ping(), absl::OkStatus());
    EXPECT_EQ(Get(*client, "!raw-stderr:still here"), "");
    EXPECT_TRUE(log->WaitForMessage("still here"));
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
    EXPECT_LT(absl::Now() - start, kGrace);
  }

  std::string CopyOfMisbehave(const std::string& name) const {
    const std::string copy = ScratchPath(name);
    CopyProgram(RunfilePath("tests/plugins/misbehave"), copy);
    return copy;
  }

  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

// ---- Runners
// ------------------------------------------------------------------

TEST_F(NeighboursTest, ARunnerThatDoesNotComeBackFromStart) {
  Launching stuck(Runner({gate_}), ShortStart());
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
}

TEST_F(NeighboursTest, ARunnerBesideOneThatDoesNotComeBackFromStart) {
  ClientOptions patient = ShortLadder();
  Launching stuck(Runner({gate_}), patient);
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  Launching other(Runner({}), PlainOptions());
  const std::unique_ptr<Client> client = other.Take();
  EXPECT_NE(client, nullptr);
  stuck.Cancel();
  stuck.ExpectErrorBy(kPatience, Reason::kCancelled);
}

TEST_F(NeighboursTest, ARunnerCancelledWhileItStarts) {
  Launching stuck(Runner({gate_}), ShortLadder());
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  stuck.Cancel();
  stuck.ExpectErrorBy(absl::ZeroDuration(), Reason::kCancelled);
}

// What has ended while it waited for its turn never begins.
TEST_F(NeighboursTest, AnEndedLaunchIsNotStartedAfterwards) {
  std::vector<std::unique_ptr<Launching>> stuck;
  for (int i = 0; i < kMoreThanAll; ++i) {
    stuck.push_back(
        std::make_unique<Launching>(Runner({gate_}), ShortLadder()));
  }
  ASSERT_TRUE(gate_->AwaitArrivals(kMoreThanAll - 1, kPatience));
  const auto cancelled = Runner({});
  const auto late = Runner({gate_});
  Launching first(cancelled, ShortLadder());
  Launching second(late, ShortStart());
  first.Cancel();
  first.ExpectErrorBy(absl::ZeroDuration(), Reason::kCancelled);
  second.ExpectErrorBy(kShort, Reason::kResources);
  for (const auto& launching : stuck) launching->Cancel();
  for (const auto& launching : stuck) {
    launching->ExpectErrorBy(kPatience, Reason::kCancelled);
  }
  stuck.clear();
  gate_->Open();
  ExpectOthersLive();
  EXPECT_FALSE(cancelled->started_too_late());
  EXPECT_FALSE(late->started_too_late());
}

TEST_F(NeighboursTest, ManyRunnersThatDoNotComeBackFromStart) {
  std::vector<std::unique_ptr<Launching>> stuck;
  for (int i = 0; i < kMany; ++i) {
    stuck.push_back(std::make_unique<Launching>(Runner({gate_}), ShortStart()));
  }
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  for (const auto& launching : stuck) {
    launching->ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
  }
}

TEST_F(NeighboursTest, ManyTranslationsThatDoNotComeBack) {
  std::vector<std::unique_ptr<Launching>> stuck;
  // Long enough for so many to say their lines on a busy machine.
  ClientOptions options = ShortLadder();
  options.start_timeout = 10 * kShort;
  for (int i = 0; i < kMany; ++i) {
    stuck.push_back(std::make_unique<Launching>(
        Runner({nullptr, nullptr, gate_}), options));
  }
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  for (const auto& launching : stuck) {
    launching->ExpectErrorBy(10 * kShort, Reason::kHandshakeTimeout);
  }
}

// ---- Callbacks
// ----------------------------------------------------------------

TEST_F(NeighboursTest, ManySinksThatDoNotComeBack) {
  ClientOptions options = ShortLadder();
  // Of so many some are slow to exit on a busy machine.
  options.shutdown.exit_timeout = kPatience;
  options.log_sink = std::make_shared<StuckLogSink>(gate_);
  std::vector<std::unique_ptr<Client>> stuck;
  for (int i = 0; i < kMany; ++i) {
    stuck.push_back(MustLaunch(ServerPlugin({"--stderr=hello\n"}), options));
    ASSERT_NE(stuck.back(), nullptr);
  }
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  for (const auto& client : stuck) {
    const absl::Time start = absl::Now();
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
    EXPECT_LT(absl::Now() - start, options.shutdown.Total() + kGrace);
  }
  gate_->Open();
}

// A runner's Kill is what ends its plugin: it must have a thread.
TEST_F(NeighboursTest, AKillBehindManySinksThatDoNotComeBack) {
  ClientOptions options = ShortLadder();
  options.log_sink = std::make_shared<StuckLogSink>(gate_);
  std::vector<std::unique_ptr<Client>> stuck;
  for (int i = 0; i < kMany; ++i) {
    stuck.push_back(MustLaunch(ServerPlugin({"--stderr=hello\n"}), options));
    ASSERT_NE(stuck.back(), nullptr);
  }
  Launching launching(Runner({}, ServerPlugin({"--shutdown=ignore"})),
                      ShortLadder());
  const std::unique_ptr<Client> client = launching.Take();
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  ExpectError(client->Shutdown(), {Reason::kShutdownForced, "", ""});
  EXPECT_TRUE(client->exited());
  EXPECT_LT(absl::Now() - start, ShortLadder().shutdown.Total() + kGrace);
  gate_->Open();
}

TEST_F(NeighboursTest, AnInterceptorThatDoesNotComeBackInTheHealthCheck) {
  ClientOptions options = ShortStart();
  options.interceptors = StuckInterceptors(gate_);
  Launching stuck(ServerPlugin({}), options);
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kConnect);
}

// Holds up the Shutdown call alone.
class StuckShutdownFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit StuckShutdownFactory(std::shared_ptr<Gate> gate)
      : gate_(std::move(gate)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    return absl::EndsWith(info->method(), "/Shutdown")
               ? new StuckInterceptor(gate_)
               : nullptr;
  }

 private:
  const std::shared_ptr<Gate> gate_;
};

// The end waits a second for the call that is under way; who asks for the cause
// is told it before.
TEST_F(NeighboursTest, ExplainOfACrashWhoseEndIsHeldUp) {
  ClientOptions options = PlainOptions();
  options.shutdown.rpc_timeout = absl::Minutes(1);
  options.interceptors = [gate = gate_] {
    InterceptorFactories factories;
    factories.push_back(std::make_unique<StuckShutdownFactory>(gate));
    return factories;
  };
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options);
  ASSERT_NE(client, nullptr);
  Mailbox<absl::Status> bye;
  client->ShutdownAsync(
      [&bye](absl::Status status) { bye.Put(std::move(status)); });
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  absl::Status explained;
  std::thread explain([&] {
    explained = client->Explain(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "it is gone"));
  });
  EXPECT_EQ(kill(client->pid(), SIGKILL), 0);
  explain.join();
  ExpectError(explained, {Reason::kCrashed, "signal 9", ""});
  ExpectError(*bye.Take(), {Reason::kCrashed, "signal 9", ""});
}

TEST_F(NeighboursTest, InterceptorsThatAreNeverMade) {
  ClientOptions options = ShortStart();
  options.interceptors = [gate = gate_] {
    gate->Pass();
    return InterceptorFactories();
  };
  Launching stuck(ServerPlugin({}), options);
  ASSERT_TRUE(gate_->AwaitArrivals(1, kPatience));
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
}

// ---- Files
// --------------------------------------------------------------------

TEST_F(NeighboursTest, AStderrFileThatIsAPipeWithoutAReader) {
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  command.stderr_file = ScratchPath("pipe");
  ASSERT_EQ(mkfifo(command.stderr_file.c_str(), 0600), 0);
  Launching stuck(command, ShortStart());
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kOptions);
  // Lets go whoever waits in it all the same.
  close(open(command.stderr_file.c_str(), O_RDWR | O_NONBLOCK));
}

TEST_F(NeighboursTest, AnExecThatStalls) {
  const std::string program = CopyOfMisbehave("stalls");
  StalledExec stalled(program);
  Launching stuck(Command{program, {"silent"}}, ShortStart());
  ASSERT_TRUE(stalled.WaitFor(1));
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
}

TEST_F(NeighboursTest, AnExecThatStallsIsCancelled) {
  const std::string program = CopyOfMisbehave("stalls");
  StalledExec stalled(program);
  Launching stuck(Command{program, {"silent"}}, ShortLadder());
  ASSERT_TRUE(stalled.WaitFor(1));
  const absl::Time start = absl::Now();
  stuck.Cancel();
  stuck.ExpectErrorBy(kPatience, Reason::kCancelled);
  EXPECT_LT(absl::Now() - start, kGrace);
}

TEST_F(NeighboursTest, ManyProgramsOnADeadFileSystem) {
  DeadFileSystem dead(ScratchPath("dead"));
  std::vector<std::unique_ptr<Launching>> stuck;
  for (int i = 0; i < kMany; ++i) {
    Command command{dead.File("plugin")};
    if (i % 2 == 0) {
      command.secure_config.emplace();
      command.secure_config->checksum = std::string(32, 'x');
    }
    stuck.push_back(std::make_unique<Launching>(command, ShortStart()));
  }
  ExpectOthersLive();
  for (const auto& launching : stuck) {
    launching->ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
  }
  dead.Fail();
}

TEST_F(NeighboursTest, SocketsOnADeadFileSystem) {
  DeadFileSystem dead(ScratchPath("dead"));
  ClientOptions options = ShortStart();
  options.socket_directory = dead.File("sockets");
  Launching stuck(ServerPlugin({}), options);
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
  dead.Fail();
}

TEST_F(NeighboursTest, AGroupThatIsLookedUpForEver) {
  DeadNameService dead(ScratchPath("groups"));
  ClientOptions options = ShortStart();
  options.socket_group = "nobody-knows-it";
  Launching stuck(ServerPlugin({}), options);
  ExpectOthersLive();
  stuck.ExpectErrorBy(kShort, Reason::kHandshakeTimeout);
  dead.Fail();
}

}  // namespace
}  // namespace goplugin::testing
