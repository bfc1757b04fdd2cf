// Supervised plugins that are replaced, restarted, scaled and ended.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/supervisor.h"
#include "tests/integration/supervised.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

using SupervisorReplaceTest = HarnessTest;
using SupervisorScaleTest = HarnessTest;

// Another program, to tell from ServerPlugin({}).
Command NewPlugin(const std::string& flag = "--lifetime=100") {
  return ServerPlugin({flag});
}

bool IsNew(const Supervisor& supervisor, int replica = 0) {
  return absl::StrContains(Ask(supervisor, "!args", replica), "--lifetime");
}

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

size_t Threads() {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

TEST_F(SupervisorReplaceTest, PutsTheNewOneInPlaceOfTheOld) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const pid_t old[] = {PidOf(*supervisor, 0), PidOf(*supervisor, 1)};
  EXPECT_FALSE(IsNew(*supervisor));
  EXPECT_EQ(supervisor->Replace(NewPlugin()), absl::OkStatus());
  for (const int replica : {0, 1}) {
    EXPECT_TRUE(IsNew(*supervisor, replica));
    EXPECT_EQ(kill(old[replica], 0), -1) << "the old one is gone";
  }
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 0);
  // It is the one that is started again.
  const pid_t pid = PidOf(*supervisor);
  kill(pid, SIGKILL);
  ASSERT_TRUE(ComesBack(*supervisor, pid));
  EXPECT_TRUE(IsNew(*supervisor));
}

TEST_F(SupervisorReplaceTest, ABrokenOneChangesNothing) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  ExpectError(supervisor->Replace(Command{"/no/such/plugin"}),
              {Reason::kSpawn, "/no/such/plugin", ""});
  ExpectError(supervisor->Replace(Misbehave({"exit1"})),
              {Reason::kExitedEarly, "replica 0, generation 4", ""});
  EXPECT_EQ(PidOf(*supervisor), pid);
  EXPECT_TRUE(IsReady(*supervisor));
  EXPECT_FALSE(supervisor->Status().breaker_open);
  EXPECT_TRUE(supervisor->Status().last_failure.ok());
}

TEST_F(SupervisorReplaceTest, AnotherVersionIsAnErrorUnlessItIsAllowed) {
  ClientOptions options = ShortLadder();
  options.handshake.protocol_versions = {1, 2};
  SupervisorOptions policy = QuickPolicy();
  auto supervisor = MustStart(ServerPlugin({}), policy, options);
  ASSERT_NE(supervisor, nullptr);
  ExpectError(supervisor->Replace(NewPlugin("--versions=2")),
              {Reason::kAppVersion, "version 2", "allow_version_change"});
  EXPECT_EQ(supervisor->client()->protocol_version(), 1u);
  policy.allow_version_change = true;
  supervisor = MustStart(ServerPlugin({}), policy, options);
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->Replace(NewPlugin("--versions=2")), absl::OkStatus());
  EXPECT_EQ(supervisor->client()->protocol_version(), 2u);
}

TEST_F(SupervisorReplaceTest, OneThatDoesNotServeChangesNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.prepare_timeout = absl::Milliseconds(500);
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const pid_t pid = PidOf(*supervisor);
  ExpectError(supervisor->Replace(ServerPlugin({"--health=not_serving"})),
              {Reason::kTimeout, "not healthy", "SERVING"});
  EXPECT_EQ(PidOf(*supervisor), pid);
}

TEST_F(SupervisorReplaceTest, ManyAtOnceAreOneAfterTheOther) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  Mailbox<absl::Status> first;
  Mailbox<absl::Status> broken;
  Mailbox<absl::Status> restarted;
  supervisor->ReplaceAsync(NewPlugin(),
                           [&](absl::Status done) { first.Put(done); });
  supervisor->ReplaceAsync(Misbehave({"exit1"}),
                           [&](absl::Status done) { broken.Put(done); });
  supervisor->RestartAsync([&](absl::Status done) { restarted.Put(done); });
  EXPECT_EQ(first.Take(), absl::OkStatus());
  EXPECT_FALSE(broken.Take()->ok());
  EXPECT_EQ(restarted.Take(), absl::OkStatus());
  EXPECT_TRUE(IsNew(*supervisor));
  EXPECT_EQ(supervisor->Status().replicas[0].generation, 4u);
}

TEST_F(SupervisorReplaceTest, RestartEndsAndStartsEach) {
  const auto supervisor = MustStart(ServerPlugin({}), QuickPolicy(2));
  ASSERT_NE(supervisor, nullptr);
  const std::set<pid_t> old = {PidOf(*supervisor, 0), PidOf(*supervisor, 1)};
  EXPECT_EQ(supervisor->Restart(), absl::OkStatus());
  EXPECT_TRUE(IsReady(*supervisor));
  EXPECT_EQ(old.count(PidOf(*supervisor, 0)), 0u);
  EXPECT_EQ(old.count(PidOf(*supervisor, 1)), 0u);
  EXPECT_EQ(supervisor->Status().replicas[0].restarts, 0);
}

TEST_F(SupervisorScaleTest, UpAndDown) {
  const auto supervisor = MustStart(ServerPlugin({}));
  ASSERT_NE(supervisor, nullptr);
  EXPECT_EQ(supervisor->Scale(4), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] {
    return IsReady(*supervisor) && supervisor->Status().replicas.size() == 4;
  }));
  const pid_t last = PidOf(*supervisor, 3);
  ASSERT_GT(last, 0);
  EXPECT_EQ(supervisor->Scale(1), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return kill(last, 0) != 0; }));
  EXPECT_EQ(supervisor->client(3), nullptr);
  EXPECT_TRUE(IsReady(*supervisor));
  ExpectError(supervisor->Scale(0), {Reason::kOptions, "replicas", ""});
  EXPECT_EQ(supervisor->Shutdown(), absl::OkStatus());
  EXPECT_EQ(supervisor->Scale(4), absl::OkStatus()) << "without effect";
  EXPECT_EQ(supervisor->Status().state, SupervisorState::kStopped);
}

TEST_F(SupervisorScaleTest, ManyGenerationsLeaveNothing) {
  SupervisorOptions policy = QuickPolicy();
  policy.restart.steady = absl::ZeroDuration();
  const auto supervisor = MustStart(ServerPlugin({}), policy);
  ASSERT_NE(supervisor, nullptr);
  const auto generations = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t pid = PidOf(*supervisor);
      if (i % 5 == 4) {
        ASSERT_EQ(supervisor->Replace(ServerPlugin({})), absl::OkStatus());
      } else {
        kill(pid, SIGKILL);
        ASSERT_TRUE(ComesBack(*supervisor, pid));
      }
    }
  };
  generations(10);
  const size_t descriptors = OpenDescriptors();
  const size_t threads = Threads();
  const char* const given = getenv("SUPERVISOR_GENERATIONS");
  generations(given == nullptr ? 40 : std::stoi(given));
  // What gRPC closes late may still be there.
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors + 2; }))
      << OpenDescriptors() << " after " << descriptors;
  EXPECT_LE(Threads(), threads + 2);
}

}  // namespace
}  // namespace goplugin::testing
