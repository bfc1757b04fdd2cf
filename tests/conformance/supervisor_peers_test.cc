// Real plugins under a supervisor: killed, replaced, and busy.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"
#include "tests/conformance/peers.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/integration/supervised_calls.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

struct PeerCase {
  const char* name;
  const char* peer;  // in OUTDIR/bin; null: the C++ example
  const char* mark;  // in what it gives back
  TlsMode tls;
  Multiplex multiplex;
};

std::ostream& operator<<(std::ostream& out, const PeerCase& peer) {
  return out << peer.name;
}

class SupervisedPeerTest : public PeersTest,
                           public ::testing::WithParamInterface<PeerCase> {
 protected:
  SupervisedPeerTest() : PeersTest({"kv", "plugin_python"}) {}

  Command Plugin() const {
    Command command = Peer("kv", {});
    command.path = GetParam().peer != nullptr
                       ? PeerPath(GetParam().peer)
                       : RunfilePath("examples/plugin_cpp/plugin_cpp");
    return command;
  }

  // With a value, kept in a file, and processes that are each told something.
  bool Start(int replicas) {
    SupervisorOptions policy = QuickPolicy(replicas);
    policy.prepare = [this](Client& plugin,
                            std::chrono::system_clock::time_point) {
      ++prepared_;
      const std::string error = Put(plugin, "prepared", "yes");
      return error.empty() ? absl::OkStatus() : absl::InternalError(error);
    };
    ClientOptions options = KvOptionsWith(GetParam().tls);
    options.multiplex = GetParam().multiplex;
    supervisor_ = MustStart(Plugin(), policy, options);
    if (supervisor_ == nullptr) return false;
    kv_ = supervisor_->NewStub<proto::KV>();
    const std::shared_ptr<Client> client = supervisor_->client();
    EXPECT_EQ(Put(*client, "key", "value"), "");
    EXPECT_EQ(client->uses_tls(), GetParam().tls == TlsMode::kAutoMtls);
    EXPECT_EQ(client->multiplexed(),
              GetParam().multiplex == Multiplex::kRequire);
    return true;
  }

  void ExpectServed() {
    const Answer answer = AskStub(*kv_, "key");
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_TRUE(absl::StartsWith(answer.value, "value")) << answer.value;
    EXPECT_TRUE(absl::StrContains(answer.value, GetParam().mark))
        << answer.value;
  }

  void TearDown() override {
    kv_.reset();
    supervisor_.reset();
    PeersTest::TearDown();
  }

  std::atomic<int> prepared_{0};
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_P(SupervisedPeerTest, IsKilledAndServesAgain) {
  ASSERT_TRUE(Start(1));
  ExpectServed();
  for (int kills = 1; kills <= 2; ++kills) {
    const pid_t pid = KillSeen(*supervisor_);
    // Waits for the next process.
    ExpectServed();
    EXPECT_NE(PidOf(*supervisor_), pid);
    EXPECT_EQ(prepared_, kills + 1);
    EXPECT_EQ(supervisor_->Status().replicas[0].restarts, kills);
    ExpectError(supervisor_->Status().last_failure,
                {Reason::kCrashed, absl::StrCat("generation ", kills), ""});
  }
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
}

TEST_P(SupervisedPeerTest, IsReplacedUnderCallsOfWhichNoneFails) {
  ASSERT_TRUE(Start(1));
  Callers callers(*supervisor_, 4, "key");
  ASSERT_TRUE(callers.GoOn(20));
  const std::shared_ptr<Client> before = supervisor_->client();
  EXPECT_EQ(supervisor_->Replace(Plugin()), absl::OkStatus());
  EXPECT_TRUE(before->exited());
  EXPECT_NE(PidOf(*supervisor_), before->pid());
  ASSERT_TRUE(callers.GoOn(20));
  callers.Stop();
  EXPECT_TRUE(callers.failures().empty()) << Tell(callers.failures());
  EXPECT_EQ(prepared_, 2);
  EXPECT_EQ(supervisor_->Status().replicas[0].restarts, 0);
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
}

TEST_P(SupervisedPeerTest, OneOfTwoIsKilledAndTheOtherServes) {
  ASSERT_TRUE(Start(2));
  const pid_t stays = PidOf(*supervisor_, 1);
  const pid_t pid = KillSeen(*supervisor_, 0);
  for (int i = 0; i < 20; ++i) ExpectServed();
  EXPECT_TRUE(Eventually([&] {
    const pid_t now = PidOf(*supervisor_, 0);
    return now != -1 && now != pid;
  }));
  EXPECT_EQ(PidOf(*supervisor_, 1), stays);
  EXPECT_EQ(prepared_, 3);
}

constexpr char kGoMark[] = "Written from conformance kv";
constexpr char kPythonMark[] = "Written from plugin_python";
constexpr char kCppMark[] = "Written from plugin_cpp";

INSTANTIATE_TEST_SUITE_P(
    Peers, SupervisedPeerTest,
    ::testing::Values(PeerCase{"Go", "kv", kGoMark, TlsMode::kInsecure,
                               Multiplex::kNever},
                      PeerCase{"GoAutoMtls", "kv", kGoMark, TlsMode::kAutoMtls,
                               Multiplex::kNever},
                      PeerCase{"GoMultiplexed", "kv", kGoMark,
                               TlsMode::kInsecure, Multiplex::kRequire},
                      PeerCase{"GoMultiplexedAutoMtls", "kv", kGoMark,
                               TlsMode::kAutoMtls, Multiplex::kRequire},
                      PeerCase{"Cpp", nullptr, kCppMark, TlsMode::kInsecure,
                               Multiplex::kNever},
                      PeerCase{"CppAutoMtls", nullptr, kCppMark,
                               TlsMode::kAutoMtls, Multiplex::kNever},
                      PeerCase{"CppMultiplexed", nullptr, kCppMark,
                               TlsMode::kInsecure, Multiplex::kRequire},
                      PeerCase{"CppMultiplexedAutoMtls", nullptr, kCppMark,
                               TlsMode::kAutoMtls, Multiplex::kRequire},
                      PeerCase{"Python", "plugin_python", kPythonMark,
                               TlsMode::kInsecure, Multiplex::kNever},
                      PeerCase{"PythonAutoMtls", "plugin_python", kPythonMark,
                               TlsMode::kAutoMtls, Multiplex::kNever}),
    [](const ::testing::TestParamInfo<PeerCase>& peer) {
      return std::string(peer.param.name);
    });

// Python's threaded server: what it can't do while it computes.
class SupervisedPythonTest : public PeersTest {
 protected:
  SupervisedPythonTest() : PeersTest({"plugin_python"}) {}

  bool Start(const std::vector<std::string>& flags, SupervisorOptions policy) {
    Command command = Peer("plugin_python", {});
    command.path = PeerFile("venv/bin/python");
    command.args = {RunfilePath("tests/conformance/python/few_workers.py")};
    command.args.insert(command.args.end(), flags.begin(), flags.end());
    ClientOptions options = ShortLadder();
    options.start_timeout = kPatience;
    supervisor_ = MustStart(command, std::move(policy), options);
    if (supervisor_ == nullptr) return false;
    kv_ = supervisor_->NewStub<proto::KV>();
    return true;
  }

  // The figures of the design, shortened.
  static SupervisorOptions Watchful() {
    SupervisorOptions policy = QuickPolicy();
    policy.health.interval = absl::Milliseconds(300);
    policy.health.timeout = absl::Milliseconds(500);
    policy.health.failures = 3;
    return policy;
  }
  // What Watchful takes for a hang.
  static constexpr absl::Duration kHang = absl::Milliseconds(3 * 300 + 500);

  bool IsCalled(int replica) {
    return Eventually([&] {
      return supervisor_->Status().replicas[replica].calls_under_way > 0;
    });
  }

  void TearDown() override {
    kv_.reset();
    supervisor_.reset();
    PeersTest::TearDown();
  }

  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_F(SupervisedPythonTest, TheOnlyWorkerInALongCallIsLeftAlone) {
  ASSERT_TRUE(Start({"--workers=1"}, Watchful()));
  const std::shared_ptr<Client> client = supervisor_->client();
  std::future<Answer> call = BeginAsking(*kv_, "!sleep:6");
  ASSERT_TRUE(IsCalled(0));
  // It has no worker for its health.
  EXPECT_FALSE(client->Ping(absl::Seconds(2)).ok());
  EXPECT_TRUE(Eventually([&] {
    return supervisor_->Status().replicas[0].silent > absl::Seconds(3);
  }));
  const Answer answer = call.get();
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_GT(answer.took, kHang * 2);
  EXPECT_EQ(AskStub(*kv_, "!pid").value, absl::StrCat(client->pid()));
  EXPECT_EQ(supervisor_->Status().replicas[0].restarts, 0);
}

// Without the two streams: before they are known to be too many for it, such a
// policy takes each process for a hang that has no call to do at once.
TEST_F(SupervisedPythonTest, ButNotForLongerThanItsBusyLimit) {
  SupervisorOptions policy = Watchful();
  policy.health.busy_limit = absl::Seconds(2);
  ASSERT_TRUE(Start({"--workers=1", "--no-stdio", "--no-broker"}, policy));
  const pid_t pid = PidOf(*supervisor_);
  const Answer answer = AskStub(*kv_, "!sleep:60");
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_LT(answer.took, policy.health.busy_limit + kHang +
                             ShortLadder().shutdown.Total() + kGrace);
  ExpectError(supervisor_->Explain(answer.status),
              {Reason::kTimeout, "generation 1", "HealthPolicy"});
  EXPECT_TRUE(ComesBack(*supervisor_, pid));
}

TEST_F(SupervisedPythonTest, OneThatStandsStillAndIsIdleIsStartedAgain) {
  ASSERT_TRUE(Start({"--workers=1"}, Watchful()));
  const pid_t pid = PidOf(*supervisor_);
  Stop(*supervisor_->client());
  const absl::Time stopped = absl::Now();
  // A caller is served by the next one.
  ASSERT_TRUE(Eventually([&] { return PidOf(*supervisor_) == -1; }));
  EXPECT_LT(absl::Now() - stopped, kHang + kGrace);
  const Answer answer = AskStub(*kv_, "!pid");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_NE(answer.value, absl::StrCat(pid));
  EXPECT_EQ(answer.value, absl::StrCat(PidOf(*supervisor_)));
}

// How much faster that is: tests/benchmarks, "CPU-bound".
TEST_F(SupervisedPythonTest, TwoReplicasComputeAtTheSameTime) {
  ASSERT_TRUE(Start({"--workers=4"}, QuickPolicy(2)));
  // Long enough for both to be seen at it.
  std::future<Answer> first = BeginAsking(*kv_, "!burn:40000000");
  ASSERT_TRUE(Eventually([&] {
    const SupervisorStatus status = supervisor_->Status();
    return status.replicas[0].calls_under_way +
               status.replicas[1].calls_under_way ==
           1;
  }));
  const Answer second = AskStub(*kv_, "!burn:1000");
  EXPECT_TRUE(second.status.ok()) << second.status.error_message();
  EXPECT_EQ(first.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  EXPECT_TRUE(first.get().status.ok());
  std::set<std::string> pids;
  EXPECT_TRUE(Eventually([&] {
    pids.insert(AskStub(*kv_, "!pid").value);
    return pids.size() == 2;
  }));
}

}  // namespace
}  // namespace goplugin::testing
