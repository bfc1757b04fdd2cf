// Supervised plugins that the host starts in its own way.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/error.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/supervisor.h"
#include "tests/integration/live.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/stuck_runner.h"

namespace goplugin::testing {
namespace {

// What the host's own code said.
void ExpectHostsError(const absl::Status& status, const std::string& part) {
  EXPECT_TRUE(absl::StrContains(status.message(), part)) << status;
  const absl::optional<ErrorDetails> details = GetErrorDetails(status);
  ASSERT_TRUE(details.has_value()) << status;
  EXPECT_TRUE(absl::StrContains(details->hint, "factory")) << status;
}

using MadeRunner = absl::StatusOr<std::shared_ptr<Runner>>;

class SupervisorRunnerTest : public HarnessTest {
 protected:
  // Makes runners, after what `before` does, unless that is an error.
  SupervisorSource Source(std::function<absl::Status()> before = nullptr) {
    return SupervisorSource([this, before = std::move(before)]() -> MadeRunner {
      if (before != nullptr) {
        absl::Status status = before();
        if (!status.ok()) return status;
      }
      auto runner =
          std::make_shared<StuckRunner>(ServerPlugin({}), StuckRunner::Gates());
      internal::MutexLock lock(mutex_);
      made_.push_back(runner);
      return runner;
    });
  }

  bool Start(SupervisorSource source, SupervisorOptions policy = QuickPolicy(),
             ClientOptions options = ShortLadder()) {
    supervisor_ = MustStart(std::move(source), std::move(policy), options);
    if (supervisor_ == nullptr) return false;
    kv_ = supervisor_->NewStub<proto::KV>();
    return true;
  }

  // How often they were started, in the order of their making.
  std::vector<int> Starts() {
    internal::MutexLock lock(mutex_);
    std::vector<int> starts;
    for (const auto& runner : made_) starts.push_back(runner->starts());
    return starts;
  }

  // The client does not know it.
  pid_t Pid() {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    proto::GetRequest request;
    request.set_key("!pid");
    proto::GetResponse response;
    const grpc::Status status = kv_->Get(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    int pid = -1;
    EXPECT_TRUE(absl::SimpleAtoi(response.value(), &pid));
    return pid;
  }
  void Kill() {
    const std::shared_ptr<Client> client = supervisor_->client();
    kill(Pid(), SIGKILL);
    EXPECT_TRUE(Eventually([&] { return client->exited(); }));
  }

  void TearDown() override {
    kv_.reset();
    supervisor_.reset();
    {
      internal::MutexLock lock(mutex_);
      made_.clear();
    }
    HarnessTest::TearDown();
  }

  absl::Mutex mutex_;
  std::vector<std::shared_ptr<StuckRunner>> made_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<proto::KV::Stub> kv_;
};

TEST_F(SupervisorRunnerTest, EachStartHasARunnerOfItsOwn) {
  ASSERT_TRUE(Start(Source()));
  EXPECT_EQ(Starts(), std::vector<int>({1}));
  const pid_t first = Pid();
  Kill();
  EXPECT_NE(Pid(), first);
  EXPECT_EQ(Starts(), std::vector<int>({1, 1}));
  ExpectError(supervisor_->Status().last_failure,
              {Reason::kCrashed, "stuck runner", ""});
  EXPECT_EQ(supervisor_->Replace(Source()), absl::OkStatus());
  EXPECT_EQ(supervisor_->Restart(), absl::OkStatus());
  EXPECT_EQ(supervisor_->Scale(2), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] {
    return supervisor_->Status().replicas.size() == 2 && IsReady(*supervisor_);
  }));
  EXPECT_EQ(Starts(), std::vector<int>({1, 1, 1, 1, 1}));
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorRunnerTest, OneThatStandsStillIsKilledByItsRunner) {
  SupervisorOptions policy = QuickPolicy();
  policy.health.interval = absl::Milliseconds(200);
  policy.health.timeout = absl::Milliseconds(400);
  policy.health.failures = 2;
  ASSERT_TRUE(Start(Source(), policy));
  const pid_t pid = Pid();
  kill(pid, SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return supervisor_->client() == nullptr; }));
  EXPECT_NE(Pid(), pid);
  EXPECT_EQ(kill(pid, 0), -1);
  ExpectError(supervisor_->Status().last_failure,
              {Reason::kTimeout, "generation 1", "HealthPolicy"});
}

TEST_F(SupervisorRunnerTest, AnErrorOfTheFactoryIsAFailedStart) {
  const absl::Status status =
      Supervisor::Start(
          Source([] { return absl::NotFoundError("no such image"); }),
          ShortLadder(), QuickPolicy())
          .status();
  ExpectHostsError(status, "no such image");
  EXPECT_TRUE(absl::StrContains(status.message(), "replica 0, generation 1"))
      << status;
}

TEST_F(SupervisorRunnerTest, SoIsNoRunner) {
  const absl::Status status =
      Supervisor::Start(SupervisorSource([]() -> MadeRunner {
                          return std::shared_ptr<Runner>();
                        }),
                        ShortLadder(), QuickPolicy())
          .status();
  EXPECT_TRUE(absl::StrContains(status.message(), "made no runner")) << status;
  EXPECT_TRUE(GetErrorDetails(status).has_value()) << status;
  ExpectError(
      Supervisor::Start(SupervisorSource(SupervisorSource::RunnerFactory()),
                        ShortLadder(), QuickPolicy())
          .status(),
      {Reason::kOptions, "no runner factory", ""});
}

TEST_F(SupervisorRunnerTest, AFactoryThatFailsIsAskedAgain) {
  std::atomic<int> failures{0};
  ASSERT_TRUE(Start(Source([&failures] {
    if (failures == 0) return absl::OkStatus();
    --failures;
    return absl::UnavailableError("no machine is free");
  })));
  failures = 3;
  Kill();
  // Waits for the fourth.
  EXPECT_NE(Pid(), -1);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(supervisor_->Status().replicas[0].restarts, 4);
  ExpectHostsError(supervisor_->Status().last_failure, "no machine is free");
  // A Replace changes nothing then.
  ExpectHostsError(supervisor_->Replace(Source(
                       [] { return absl::NotFoundError("no such image"); })),
                   "no such image");
  EXPECT_NE(Pid(), -1);
}

// ---- Factories that take their time ----------------------------------------

TEST_F(SupervisorRunnerTest, FactoriesOfSeveralReplicasHoldUpNobody) {
  const auto gate = std::make_shared<Gate>();
  std::thread opener([&gate] {
    EXPECT_TRUE(gate->AwaitArrivals(3, kPatience / 2));
    gate->Open();
  });
  EXPECT_TRUE(Start(Source([gate] {
                      gate->Pass();
                      return absl::OkStatus();
                    }),
                    QuickPolicy(3)));
  opener.join();
}

TEST_F(SupervisorRunnerTest, AStartIsOverInTimeThoughTheFactoryIsStuck) {
  const auto gate = std::make_shared<Gate>();
  ClientOptions options = ShortLadder();
  options.start_timeout = absl::Milliseconds(300);
  // Lets the test fail rather than hang.
  std::thread opener([&gate] {
    gate->AwaitArrivals(2, kPatience);
    gate->Open();
  });
  const absl::Time begun = absl::Now();
  const absl::Status status = Supervisor::Start(Source([gate] {
                                                  gate->Pass();
                                                  return absl::OkStatus();
                                                }),
                                                options, QuickPolicy())
                                  .status();
  EXPECT_LT(absl::Now() - begun, kGrace);
  ExpectHostsError(status, "300ms");
  gate->Pass();
  opener.join();
  // What it makes now is not started.
  EXPECT_TRUE(Eventually([&] { return !Starts().empty(); }));
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(Starts(), std::vector<int>({0}));
}

TEST_F(SupervisorRunnerTest, SoIsAnEnd) {
  const auto gate = std::make_shared<Gate>();
  std::atomic<bool> stuck{false};
  ASSERT_TRUE(Start(Source([gate, &stuck] {
    if (stuck) gate->Pass();
    return absl::OkStatus();
  })));
  stuck = true;
  Kill();
  ASSERT_TRUE(gate->AwaitArrivals(1, kPatience));
  std::thread opener([&gate] {
    gate->AwaitArrivals(2, kPatience);
    gate->Open();
  });
  const absl::Time begun = absl::Now();
  EXPECT_EQ(supervisor_->Shutdown(), absl::OkStatus());
  EXPECT_LT(absl::Now() - begun, kGrace);
  gate->Pass();
  opener.join();
  EXPECT_TRUE(Eventually([&] { return Starts().size() == 2; }));
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(Starts(), std::vector<int>({1, 0}));
}

}  // namespace
}  // namespace goplugin::testing
