#include "goplugin/internal/endpoint/io_threads.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/versions/steady_condition.h"
#include "tests/unit/endpoint/io_thread_count.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return condition();
}

// How often the io threads have slept, all together.
std::int64_t IoSwitches() {
  std::int64_t switches = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name != "goplugin-io") continue;
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;) {
      std::int64_t count = 0;
      if (word == "voluntary_ctxt_switches:" && status >> count) {
        switches += count;
      }
    }
  }
  return switches;
}

class Recorder final : public IoHandler {
 public:
  explicit Recorder(std::function<void(std::uint32_t)> told)
      : told_(std::move(told)) {}
  void OnEvents(std::uint32_t events) override { told_(events); }

 private:
  const std::function<void(std::uint32_t)> told_;
};

struct Pair {
  Pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

TEST(IoThreadsTest, TellsOfWhatComes) {
  const Pair pair;
  SteadyNotification readable;
  auto handler = std::make_shared<Recorder>([&](std::uint32_t events) {
    if ((events & EPOLLIN) != 0) readable.Notify();
  });
  const std::unique_ptr<IoPlace> place = IoPlace::Take();
  ASSERT_NE(place, nullptr);
  ASSERT_TRUE(place->Watch(pair.ours.get(), false, handler));
  EXPECT_EQ(write(pair.theirs.get(), "x", 1), 1);
  EXPECT_TRUE(readable.WaitFor(kSoon));
  place->Unwatch();
}

TEST(IoThreadsTest, TellsThatItCanBeWrittenToOnlyWhenAsked) {
  const Pair pair;
  std::atomic<int> told{0};
  auto handler = std::make_shared<Recorder>([&](std::uint32_t) { ++told; });
  const std::unique_ptr<IoPlace> place = IoPlace::Take();
  ASSERT_TRUE(place->Watch(pair.ours.get(), false, handler));
  EXPECT_EQ(write(pair.ours.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(pair.theirs.get(), &byte, 1), 1);
  EXPECT_EQ(told, 0);
  place->TellWritable(true);
  EXPECT_TRUE(Eventually([&] { return told > 0; }));
}

TEST(IoThreadsTest, CallsAHandlerOfWhichNothingIsToldOtherwise) {
  const Pair pair;
  std::atomic<int> told{0};
  std::atomic<int> here{0};
  const std::thread::id caller = std::this_thread::get_id();
  auto handler = std::make_shared<Recorder>([&](std::uint32_t events) {
    EXPECT_EQ(events, 0u);
    if (std::this_thread::get_id() == caller) ++here;
    ++told;
  });
  const std::unique_ptr<IoPlace> place = IoPlace::Take();
  place->CallSoon();  // not watched yet
  ASSERT_TRUE(place->Watch(pair.ours.get(), false, handler));
  place->CallSoon();
  EXPECT_TRUE(Eventually([&] { return told == 1; }));
  place->CallSoon();
  EXPECT_TRUE(Eventually([&] { return told == 2; }));
  EXPECT_EQ(here, 0);
  place->Unwatch();
  place->CallSoon();
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(told, 2);
}

TEST(IoThreadsTest, AThreadWithoutPlacesLeaves) {
  { const std::unique_ptr<IoPlace> place = IoPlace::Take(); }
  EXPECT_TRUE(Eventually([] { return IoThreadCount() == 0; }));
}

TEST(IoThreadsTest, NoMoreThreadsThanFour) {
  std::vector<std::unique_ptr<IoPlace>> places;
  places.push_back(IoPlace::Take());
  EXPECT_TRUE(Eventually([] { return IoThreadCount() == 1; }));
  for (int i = 0; i < 100; ++i) places.push_back(IoPlace::Take());
  EXPECT_LE(IoThreadCount(), 4);
}

TEST(IoThreadsTest, NothingWakesAThreadThatHasNothingToDo) {
  const Pair pair;
  auto handler = std::make_shared<Recorder>([](std::uint32_t) {});
  const std::unique_ptr<IoPlace> place = IoPlace::Take();
  ASSERT_TRUE(place->Watch(pair.ours.get(), false, handler));
  // The lingering of those before.
  ASSERT_TRUE(Eventually([] { return IoThreadCount() == 1; }));
  absl::SleepFor(absl::Seconds(1));
  const std::int64_t before = IoSwitches();
  absl::SleepFor(absl::Seconds(2));
  EXPECT_EQ(IoSwitches(), before);
}

TEST(IoThreadsTest, AHandlerMayEndItself) {
  const Pair pair;
  SteadyNotification gone;
  std::shared_ptr<Recorder> handler;
  std::unique_ptr<IoPlace> place = IoPlace::Take();
  handler = std::make_shared<Recorder>([&](std::uint32_t) {
    handler.reset();
    place.reset();
    gone.Notify();
  });
  ASSERT_TRUE(place->Watch(pair.ours.get(), false, handler));
  EXPECT_EQ(write(pair.theirs.get(), "x", 1), 1);
  EXPECT_TRUE(gone.WaitFor(kSoon));
}

// In a process of its own each: what they do lasts.
class IoThreadsDeathTest : public ::testing::Test {
 protected:
  IoThreadsDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(IoThreadsDeathTest, WithoutAThreadThereIsNoPlace) {
  EXPECT_EXIT(
      {
        // Root is not held to the limit.
        if (setuid(65534) != 0 && getuid() == 0) _exit(0);
        rlimit none = {};
        setrlimit(RLIMIT_NPROC, &none);
        _exit(IoPlace::Take() == nullptr ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(IoThreadsDeathTest, WithoutADescriptorThereIsNoPlace) {
  EXPECT_EXIT(
      {
        rlimit none = {};
        none.rlim_cur = none.rlim_max = 3;
        setrlimit(RLIMIT_NOFILE, &none);
        _exit(IoPlace::Take() == nullptr ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(IoThreadsDeathTest, AForkedChildHasNoPlace) {
  const std::unique_ptr<IoPlace> place = IoPlace::Take();
  ASSERT_NE(place, nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    _exit(ForkedFromIoThreads() && IoPlace::Take() == nullptr ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(IoThreadsDeathTest, NothingIsToldOnceHalted) {
  EXPECT_EXIT(
      {
        const Pair pair;
        SteadyNotification begun;
        std::atomic<bool> ended{false};
        std::atomic<int> told{0};
        auto handler = std::make_shared<Recorder>([&](std::uint32_t) {
          ++told;
          begun.Notify();
          absl::SleepFor(absl::Milliseconds(50));
          ended = true;
        });
        const std::unique_ptr<IoPlace> place = IoPlace::Take();
        place->Watch(pair.ours.get(), false, handler);
        if (write(pair.theirs.get(), "x", 1) != 1) _exit(2);
        if (!begun.WaitFor(kSoon)) _exit(3);
        HaltIoThreads(kSoon);
        if (!ended) _exit(4);
        if (write(pair.theirs.get(), "x", 1) != 1) _exit(5);
        if (IoPlace::Take() != nullptr) _exit(6);
        absl::SleepFor(absl::Milliseconds(50));
        _exit(told == 1 ? 0 : 7);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace goplugin::internal
