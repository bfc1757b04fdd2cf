// What supervision must hold: under callers without end, for minutes, over many
// generations. Shortened; whole by --test_env=SUPERVISOR_SECONDS=60.

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/proto/kv.grpc.pb.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/supervisor.h"
#include "goplugin/telemetry.h"
#include "tests/integration/supervised.h"
#include "tests/integration/supervised_calls.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using SupervisorHoldTest = HarnessTest;

const char* Seconds() { return getenv("SUPERVISOR_SECONDS"); }
// How long, and how many.
absl::Duration Length(int brief) {
  return absl::Seconds(Seconds() == nullptr ? brief : std::stoi(Seconds()));
}
int Times(int brief, int whole) { return Seconds() == nullptr ? brief : whole; }

// Where each process was reached, and when it was killed. Names are used again.
using Kills = std::multimap<std::string, absl::Time>;

// The peer of calls that have waited is the SDK's own.
bool HasWaited(const Failure& failure) {
  return !absl::StartsWith(failure.peer, "unix:");
}

// Whether the call may have been under way on a process that was killed.
bool MayHaveDied(const Failure& failure, const Kills& kills) {
  // From the kill until the SDK sees it.
  constexpr absl::Duration kUntilSeen = absl::Seconds(1);
  return std::any_of(kills.begin(), kills.end(), [&](const auto& kill) {
    return (HasWaited(failure) || failure.peer == kill.first) &&
           kill.second <= failure.ended &&
           failure.begun <= kill.second + kUntilSeen;
  });
}

// How a call of the client names it.
std::string PeerOf(const Client& client, absl::Duration timeout = kPatience) {
  grpc::ClientContext context;
  AskStub(*client.NewStub<proto::KV>(), "!pid", context, timeout);
  return context.peer();
}

// Whether there is a process for each replica that is not known to have ended.
bool IsAllAlive(const Supervisor& supervisor) {
  for (const ReplicaStatus& replica : supervisor.Status().replicas) {
    const std::shared_ptr<Client> client = supervisor.client(replica.replica);
    if (client == nullptr || client->exited()) return false;
  }
  return true;
}

TEST_F(SupervisorHoldTest, RandomKillsFailTheCallsOfTheKilledAlone) {
  SupervisorOptions policy = QuickPolicy(4);
  policy.restart.initial = absl::ZeroDuration();
  policy.restart.intensity = INT_MAX;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  Callers callers(*supervisor, 64, "!pid");
  Kills kills;
  int count = 0;
  std::shared_ptr<Client> last;
  std::minstd_rand dice(1);
  const absl::Time end = absl::Now() + Length(4);
  while (absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(50));
    const std::shared_ptr<Client> client =
        supervisor->client(static_cast<int>(dice() % 4));
    if (client == nullptr || client->exited()) continue;
    const std::string peer = PeerOf(*client);
    const absl::Time now = absl::Now();
    kills.emplace(peer, now);
    kill(client->pid(), SIGKILL);
    // New releases of gRPC name the connection in calls that it is known of,
    // and the channel in others, such as those without any time.
    kills.emplace(PeerOf(*client, -absl::Seconds(1)), now);
    ++count;
    last = client;
  }
  ASSERT_NE(last, nullptr);
  // Its end is told, and the next one is there.
  EXPECT_TRUE(Eventually([&] { return last->exited(); }));
  EXPECT_TRUE(Eventually([&] { return IsAllAlive(*supervisor); }));
  EXPECT_TRUE(callers.GoOn(64));
  callers.Stop();
  const std::vector<Failure> failures = callers.failures();
  for (const Failure& failure : failures) {
    EXPECT_EQ(failure.status.error_code(), grpc::StatusCode::UNAVAILABLE)
        << failure.status.error_message();
    EXPECT_TRUE(MayHaveDied(failure, kills))
        << failure.peer << ": " << failure.status.error_message();
  }
  // Else nothing was tried.
  EXPECT_GT(count, 3);
  EXPECT_LT(failures.size(), static_cast<size_t>(callers.calls()) / 2);
  EXPECT_LT(callers.longest(), kPatience);
  printf("%d kills, %d calls, %d failed, %d of them had waited; longest %s\n",
         count, callers.calls(), static_cast<int>(failures.size()),
         static_cast<int>(
             std::count_if(failures.begin(), failures.end(), HasWaited)),
         absl::FormatDuration(callers.longest()).c_str());
  for (const ReplicaStatus& replica : supervisor->Status().replicas) {
    EXPECT_EQ(replica.calls_under_way, 0);
  }
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
}

TEST_F(SupervisorHoldTest, UpgradesFailNoCall) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  Callers callers(*supervisor, 16, "!sleep:5");
  for (int i = 0; i < Times(5, 40); ++i) {
    ASSERT_EQ(supervisor->Replace(
                  ServerPlugin({absl::StrCat("--lifetime=", 100 + i)})),
              absl::OkStatus());
    EXPECT_TRUE(callers.GoOn(16));
  }
  callers.Stop();
  EXPECT_TRUE(callers.failures().empty()) << Tell(callers.failures());
}

TEST_F(SupervisorHoldTest, ABrokenUpgradeFailsNoCall) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  Callers callers(*supervisor, 16, "!sleep:5");
  for (int i = 0; i < Times(2, 10); ++i) {
    EXPECT_FALSE(supervisor->Replace(Command{"/no/such/plugin"}).ok());
    EXPECT_FALSE(supervisor->Replace(Misbehave({"exit1"})).ok());
    EXPECT_FALSE(
        supervisor->Replace(ServerPlugin({"--die-after-line=abort"})).ok());
    EXPECT_TRUE(callers.GoOn(16));
  }
  callers.Stop();
  EXPECT_TRUE(callers.failures().empty()) << Tell(callers.failures());
  EXPECT_EQ(PidOf(*supervisor), pid);
  EXPECT_TRUE(IsReady(*supervisor));
}

absl::Duration ProcessorTime() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::DurationFromTimeval(usage.ru_utime) +
         absl::DurationFromTimeval(usage.ru_stime);
}

// When launches began.
class Starts : public Telemetry {
 public:
  void OnLaunch(const LaunchEvent& event) override {
    internal::MutexLock lock(mutex_);
    begun_.push_back(absl::Now() - event.took);
  }
  std::vector<absl::Time> begun() const {
    internal::MutexLock lock(mutex_);
    return begun_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<absl::Time> begun_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(SupervisorHoldTest, OneThatCrashesAtOnceIsStartedSoOftenInAPeriod) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.restart.max = policy.restart.initial = absl::Milliseconds(1);
  policy.restart.intensity = 3;
  policy.restart.period = absl::Seconds(3);
  policy.restart.cool_down = absl::ZeroDuration();
  const auto recorder = std::make_shared<Starts>();
  ClientOptions options = ShortLadder();
  options.telemetry = recorder;
  const auto supervisor =
      MustStart(ServerPlugin({"--die-after-line=exit"}), policy, options);
  ASSERT_NE(supervisor, nullptr);
  const auto kv = supervisor->NewStub<proto::KV>();
  const absl::Time end = absl::Now() + Length(8);
  while (absl::Now() < end) {
    EXPECT_FALSE(AskStub(*kv, "!pid", absl::Milliseconds(20)).status.ok());
    absl::SleepFor(absl::Milliseconds(2));
  }
  const std::vector<absl::Time> starts = recorder->begun();
  EXPECT_GE(starts.size(), 5u) << "it is tried again";
  for (size_t i = 4; i < starts.size(); ++i) {
    EXPECT_GT(starts[i] - starts[i - 4],
              policy.restart.period - absl::Milliseconds(300))
        << i;
  }
}

TEST_F(SupervisorHoldTest, AnOpenBreakerCostsNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.start = StartMode::kLazy;
  policy.restart.intensity = 2;
  const auto supervisor =
      MustStart(ServerPlugin({"--die-after-line=exit"}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto kv = supervisor->NewStub<proto::KV>();
  EXPECT_FALSE(AskStub(*kv, "!pid").status.ok());
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kGaveUp);
  const absl::Duration before = ProcessorTime();
  const absl::Time end = absl::Now() + absl::Seconds(2);
  int calls = 0;
  for (; absl::Now() < end; ++calls) {
    EXPECT_FALSE(AskStub(*kv, "!pid").status.ok());
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_LT(ProcessorTime() - before, absl::Milliseconds(200));
  EXPECT_GT(calls, 4) << "none of them hangs";
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 2);
}

size_t Entries(const std::string& directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

// In MiB.
double ResidentSize() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

TEST_F(SupervisorHoldTest, ManyGenerationsUnderOneStubLeaveNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.initial = absl::ZeroDuration();
  policy.restart.intensity = INT_MAX;
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto kv = supervisor->NewStub<proto::KV>();
  const auto generations = [&](int count) {
    for (int i = 0; i < count; ++i) {
      KillSeen(*supervisor);
      ASSERT_TRUE(AskStub(*kv, "!pid").status.ok());
    }
  };
  generations(Times(30, 100));
  const size_t descriptors = Entries("/proc/self/fd");
  const size_t threads = Entries("/proc/self/task");
  const double memory = ResidentSize();
  generations(Times(100, 1000));
  // What gRPC closes late may still be there.
  EXPECT_TRUE(Eventually([&] {
    return Entries("/proc/self/fd") <= descriptors + 2;
  })) << Entries("/proc/self/fd")
      << " after " << descriptors;
  // Today's gRPC has a pool that grows with its work.
  EXPECT_LE(Entries("/proc/self/task"), threads + 8);
  printf("%.1f MiB, and then %.1f\n", memory, ResidentSize());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // A generation that is left takes more than 0.1 MiB.
  EXPECT_LT(ResidentSize() - memory, 5);
#endif
}

}  // namespace
}  // namespace goplugin::testing
