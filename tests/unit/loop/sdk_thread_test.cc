#include "goplugin/internal/loop/sdk_thread.h"

#include <sched.h>
#include <sys/resource.h>

#include <thread>
#include <vector>

#include "goplugin/internal/process/at_load.h"
#include "goplugin/internal/process/scheduling.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

struct Seen {
  std::vector<unsigned char> affinity;
  absl::optional<Scheduling> scheduling;
};

// Of an SDK thread that a thread starts after `change`.
Seen SeenBy(bool (*change)()) {
  Seen seen;
  std::thread caller([&] {
    ASSERT_TRUE(change());
    absl::StatusOr<SdkThread> thread = StartSdkThread("goplugin-test", [&] {
      seen.affinity = ReadAffinity();
      seen.scheduling = ReadScheduling();
    });
    ASSERT_TRUE(thread.ok()) << thread.status();
    thread->Join();
  });
  caller.join();
  return seen;
}

void ExpectAsAtLoad(const Seen& seen) {
  EXPECT_EQ(seen.affinity, AtLoad().affinity);
  ASSERT_TRUE(seen.scheduling.has_value());
  EXPECT_TRUE(IsSame(*seen.scheduling, *AtLoad().scheduling));
}

TEST(SdkThreadTest, IsNotPinnedWhereItsMakerIs) {
  ExpectAsAtLoad(SeenBy([] {
    std::vector<unsigned char> one = ReadAffinity();
    bool kept = false;
    for (unsigned char& byte : one) {
      // The lowest of all.
      byte = kept ? 0 : static_cast<unsigned char>(byte & -byte);
      kept = kept || byte != 0;
    }
    return SetAffinity(one);
  }));
}

// Whether a thread may do `change`: an ordinary user's process that was started
// as SCHED_IDLE stays so, and few may use deadlines.
bool IsAllowed(bool (*change)()) {
  bool allowed = false;
  std::thread([&] { allowed = change(); }).join();
  return allowed;
}

TEST(SdkThreadTest, DoesNotTakeItsMakersPolicy) {
  const auto in_batch = [] {
    Scheduling batch;
    batch.policy = SCHED_BATCH;
    batch.nice = AtLoad().scheduling->nice;
    return SetScheduling(batch);
  };
  if (!IsAllowed(in_batch)) {
    GTEST_SKIP() << "this process may not use SCHED_BATCH";
  }
  ExpectAsAtLoad(SeenBy(in_batch));
}

TEST(SdkThreadTest, IsMadeByAThreadWithADeadlineToo) {
  const auto by_deadline = [] {
    Scheduling deadline;
    deadline.policy = 6;  // SCHED_DEADLINE
    deadline.runtime = 1000000;
    deadline.deadline = 10000000;
    deadline.period = 10000000;
    return SetScheduling(deadline);
  };
  if (!IsAllowed(by_deadline)) {
    GTEST_SKIP() << "this process may not use SCHED_DEADLINE";
  }
  ExpectAsAtLoad(SeenBy(by_deadline));
}

}  // namespace
}  // namespace goplugin::internal
