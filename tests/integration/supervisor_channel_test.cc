// Calls on a supervised plugin's channel, while it comes and goes.

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using Stub = proto::KV::Stub;

grpc::Status Call(Stub& stub, const std::string& key, std::string* value,
                  absl::Duration timeout = absl::Seconds(20)) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(timeout));
  proto::GetRequest request;
  request.set_key(key);
  proto::GetResponse response;
  const grpc::Status status = stub.Get(&context, request, &response);
  if (value != nullptr) *value = response.value();
  return status;
}

std::string Answer(Stub& stub, const std::string& key) {
  std::string value;
  const grpc::Status status = Call(stub, key, &value);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return value;
}

// Callers that never stop calling.
class Load {
 public:
  Load(Stub& stub, int callers, std::string key) {
    for (int i = 0; i < callers; ++i) {
      threads_.emplace_back([this, &stub, key] {
        while (!over_) {
          const absl::Time start = absl::Now();
          const grpc::Status status = Call(stub, key, nullptr);
          ++calls_;
          if (!status.ok()) ++failed_;
          // As gRPC says of a connection that broke.
          EXPECT_TRUE(status.ok() ||
                      status.error_code() == grpc::StatusCode::UNAVAILABLE)
              << status.error_code() << " " << status.error_message();
          const auto took =
              static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - start));
          if (took > longest_) longest_ = took;
        }
      });
    }
  }
  ~Load() { Stop(); }

  void Stop() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int calls() const { return calls_; }
  int failed() const { return failed_; }
  // In milliseconds, about.
  int longest() const { return longest_; }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> calls_{0};
  std::atomic<int> failed_{0};
  std::atomic<int> longest_{0};
  std::vector<std::thread> threads_;
};

class SupervisorChannelTest : public HarnessTest {};

TEST_F(SupervisorChannelTest, OneStubIsEnough) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  std::string last = Answer(*stub, "!pid");
  for (int i = 0; i < 5; ++i) {
    const pid_t pid = PidOf(*supervisor);
    kill(pid, SIGKILL);
    ASSERT_TRUE(ComesBack(*supervisor, pid));
    const std::string now = Answer(*stub, "!pid");
    EXPECT_NE(now, last);
    last = now;
  }
}

TEST_F(SupervisorChannelTest, ReplicasShareThem) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  Load load(*stub, 2, "!sleep:20");
  EXPECT_TRUE(Eventually([&] {
    const SupervisorStatus status = supervisor->Status();
    return status.replicas[0].calls_under_way == 1 &&
           status.replicas[1].calls_under_way == 1;
  }));
  load.Stop();
  EXPECT_EQ(load.failed(), 0);
  EXPECT_TRUE(Eventually(
      [&] { return supervisor->Status().replicas[0].calls_under_way == 0; }));
}

TEST_F(SupervisorChannelTest, ACallWaitsForTheNextOne) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.initial = policy.restart.max = absl::Milliseconds(500);
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  for (int i = 0; i < 2; ++i) {
    const pid_t pid = PidOf(*supervisor);
    kill(pid, SIGKILL);
    ASSERT_TRUE(Eventually([&] { return PidOf(*supervisor) != pid; }));
    EXPECT_NE(Answer(*stub, "!pid"), std::to_string(pid));
  }
  // Its own deadline comes first.
  const pid_t pid = PidOf(*supervisor);
  kill(pid, SIGKILL);
  ASSERT_TRUE(Eventually([&] { return PidOf(*supervisor) != pid; }));
  EXPECT_EQ(Call(*stub, "!pid", nullptr, absl::Milliseconds(50)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(SupervisorChannelTest, OrFailsAtOnceWhereThatIsWanted) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.initial = policy.restart.max = absl::Minutes(1);
  policy.unavailable = Unavailable::kFail;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  const pid_t pid = PidOf(*supervisor);
  kill(pid, SIGKILL);
  ASSERT_TRUE(ComesBack(*supervisor, pid));
  kill(PidOf(*supervisor), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return PidOf(*supervisor) == -1; }));
  const grpc::Status status = Call(*stub, "!pid", nullptr);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  for (const char* part : {"restarting", "generation 2", "SIGKILL"}) {
    EXPECT_TRUE(absl::StrContains(status.error_message(), part))
        << status.error_message();
  }
  ExpectError(supervisor->Explain(status),
              {Reason::kCrashed, "generation 2", ""});
}

TEST_F(SupervisorChannelTest, ThoseThatWaitFailWhenItIsGivenUp) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.intensity = 0;
  policy.restart.cool_down = absl::InfiniteDuration();
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  kill(PidOf(*supervisor), SIGKILL);
  const absl::Time start = absl::Now();
  ASSERT_TRUE(Eventually(
      [&] { return supervisor->Status().state == SupervisorState::kGaveUp; }));
  const grpc::Status status = Call(*stub, "!pid", nullptr);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "gave up"))
      << status.error_message();
  EXPECT_LT(absl::Now() - start, kGrace);
}

TEST_F(SupervisorChannelTest, TheFirstCallStartsALazyOne) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.idle_timeout = absl::Milliseconds(400);
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  EXPECT_EQ(supervisor->client(), nullptr);
  std::string last;
  for (int i = 0; i < 3; ++i) {
    const std::string now = Answer(*stub, "!pid");
    EXPECT_NE(now, last);
    last = now;
    EXPECT_TRUE(IsReady(*supervisor));
    // A call keeps it up, however long it takes.
    Answer(*stub, "!sleep:1000");
    EXPECT_EQ(Answer(*stub, "!pid"), last);
    EXPECT_TRUE(Eventually([&] {
      return supervisor->Status().state == SupervisorState::kStopped;
    }));
  }
}

TEST_F(SupervisorChannelTest, UpgradesFailNoCall) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  Load load(*stub, 8, "!sleep:5");
  const char* const given = getenv("SUPERVISOR_UPGRADES");
  const int upgrades = given == nullptr ? 10 : std::stoi(given);
  for (int i = 0; i < upgrades; ++i) {
    EXPECT_EQ(supervisor->Replace(ServerPlugin({})), absl::OkStatus());
    EXPECT_FALSE(supervisor->Replace(Misbehave({"exit1"})).ok());
  }
  load.Stop();
  EXPECT_GT(load.calls(), upgrades);
  EXPECT_EQ(load.failed(), 0) << "of " << load.calls();
}

TEST_F(SupervisorChannelTest, ScalesAndRestartsUnderLoad) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  Load load(*stub, 8, "!sleep:5");
  for (const int replicas : {4, 1, 3, 2}) {
    EXPECT_EQ(supervisor->Scale(replicas), absl::OkStatus());
    EXPECT_TRUE(Eventually([&] {
      const SupervisorStatus status = supervisor->Status();
      return status.state == SupervisorState::kReady &&
             status.replicas.size() == static_cast<size_t>(replicas);
    }));
  }
  EXPECT_EQ(supervisor->Restart(), absl::OkStatus());
  load.Stop();
  EXPECT_EQ(load.failed(), 0) << "of " << load.calls();
}

TEST_F(SupervisorChannelTest, NoneGoesToOneThatIsKnownToBeGone) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  for (int i = 0; i < 10; ++i) {
    const std::shared_ptr<Client> client = supervisor->client(i % 2);
    ASSERT_NE(client, nullptr);
    kill(client->pid(), SIGKILL);
    while (!client->exited()) absl::SleepFor(absl::Microseconds(100));
    for (int call = 0; call < 50; ++call) Answer(*stub, "!pid");
    ASSERT_TRUE(ComesBack(*supervisor, client->pid(), i % 2));
  }
}

TEST_F(SupervisorChannelTest, KilledAgainAndAgainUnderLoad) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  const char* const given = getenv("SUPERVISOR_KILLS");
  const int kills = given == nullptr ? 40 : std::stoi(given);
  Load load(*stub, 16, "!sleep:2");
  for (int i = 0; i < kills; ++i) {
    const pid_t pid = PidOf(*supervisor, i % 2);
    if (pid > 0) kill(pid, SIGKILL);
    absl::SleepFor(absl::Milliseconds(50));
  }
  load.Stop();
  EXPECT_GT(load.calls() - load.failed(), kills);
  // Those that were under way on one that was killed, and a few that came
  // before that was seen; not all that came until its end was told.
  EXPECT_LE(load.failed(), kills * 16 * 4) << "of " << load.calls();
  std::cerr << load.failed() << " of " << load.calls()
            << " failed, the longest took " << load.longest() << " ms\n";
}

TEST_F(SupervisorChannelTest, AStubMayOutliveIt) {
  auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  const auto stub = supervisor->NewStub<proto::KV>();
  Answer(*stub, "!pid");
  supervisor.reset();
  const grpc::Status status = Call(*stub, "!pid", nullptr);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "shut down"))
      << status.error_message();
}

}  // namespace
}  // namespace goplugin::testing
