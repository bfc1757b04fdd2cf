// A wall clock that is set while the host runs: by NTP, after a virtual machine
// was stopped, on a device without a clock of its own.
//
// In this process it goes an hour ahead of the kernel's. Whoever asks the
// kernel to be woken at a time of the wall clock's is woken an hour late, as if
// it had been set back meanwhile. gRPC 1.51's own timers are, so no test here
// waits for one of its deadlines.

#include "absl/time/clock.h"

#include <grpcpp/support/status.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace {

constexpr time_t kAhead = 3600;

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += kAhead;
  return static_cast<int>(result);
}

extern "C" int gettimeofday(timeval* now, void* zone) noexcept {
  const long result = syscall(SYS_gettimeofday, now, zone);
  if (result == 0) now->tv_sec += kAhead;
  return static_cast<int>(result);
}

namespace goplugin::testing {
namespace {

constexpr absl::Duration kWait = absl::Milliseconds(200);

class ClockTest : public HarnessTest {
 protected:
  // What is waited for in the test takes its own time, and not an hour.
  void ExpectInTime(absl::Duration wait) const {
    const absl::Duration took =
        absl::FromChrono(std::chrono::steady_clock::now() - begun_);
    EXPECT_GE(took, wait);
    EXPECT_LT(took, wait + kGrace);
  }
  void Begin() { begun_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point begun_;
};

TEST_F(ClockTest, WaitForExit) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  Begin();
  ExpectError(client->WaitForExit(kWait).status(),
              {Reason::kTimeout, "still runs", ""});
  ExpectInTime(kWait);
}

TEST_F(ClockTest, Dial) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({"--broker"}));
  ASSERT_NE(client, nullptr);
  DialOptions options;
  options.timeout = kWait;
  Begin();
  ExpectError(client->broker().Dial(1, options).status(),
              {Reason::kBrokerTimeout, "announced no", ""});
  ExpectInTime(kWait);
}

TEST_F(ClockTest, Explain) {
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  Begin();
  const grpc::Status call(grpc::StatusCode::UNAVAILABLE, "it did not answer");
  EXPECT_EQ(client->Explain(call).code(), absl::StatusCode::kUnavailable);
  ExpectInTime(absl::Seconds(1));
}

// The thread that it comes on looks for it now and then.
TEST_F(ClockTest, OutputThatNobodyIsInAHurryFor) {
  const auto sink = std::make_shared<RecordingStdioSink>();
  ClientOptions options = PlainOptions();
  options.stdio_sink = sink;
  const std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), options);
  ASSERT_NE(client, nullptr);
  for (const char* word : {"one", "two", "three"}) {
    absl::SleepFor(kWait);
    Begin();
    Get(*client, absl::StrCat("!stdout:", word));
    EXPECT_TRUE(sink->WaitForPiped(word));
    ExpectInTime(absl::ZeroDuration());
  }
}

// Of a program that does not start, and of one that is killed at once.
TEST_F(ClockTest, LaunchesThatFail) {
  ClientOptions options = PlainOptions();
  options.start_timeout = kWait;
  Begin();
  ExpectError(Client::Launch(Misbehave({"silent"}), options).status(),
              {Reason::kHandshakeTimeout, "", ""});
  ExpectInTime(kWait);
}

}  // namespace
}  // namespace goplugin::testing
