#include "goplugin/internal/loop/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "goplugin/internal/loop/sdk_thread.h"
#include "goplugin/internal/loop/worker.h"

namespace goplugin::internal {
namespace {

// Runs `task` on the loop and waits for it.
template <typename Task>
void RunOn(EventLoop& loop, Task task) {
  absl::Notification done;
  loop.Post([&] {
    task();
    done.Notify();
  });
  done.WaitForNotification();
}

TEST(EventLoopTest, TimersFireOnceAndCancelledOnesNever) {
  EventLoop loop;
  std::unique_ptr<Timer> first;
  std::unique_ptr<Timer> second;
  int first_fired = 0;
  absl::Notification fired;
  RunOn(loop, [&] {
    first = std::make_unique<Timer>(loop);
    second = std::make_unique<Timer>(loop);
    first->Start(absl::ZeroDuration(), [&] { ++first_fired; });
    // Already due when it is cancelled: it must not run all the same.
    first->Cancel();
    second->Start(absl::Hours(1), [&] { ++first_fired; });
    second->Start(absl::Milliseconds(1), [&] { fired.Notify(); });
  });
  fired.WaitForNotification();
  RunOn(loop, [&] {
    first.reset();
    second.reset();
  });
  EXPECT_EQ(first_fired, 0);
}

// Whoever waits for the loop finds done what it had posted itself before.
TEST(EventLoopTest, RunsInTheOrderOfPostsWhoeverPosts) {
  EventLoop loop;
  std::vector<std::string> order;
  RunOn(loop, [&] {
    loop.Post([&] { order.push_back("the loop's"); });
    std::thread([&] {
      loop.Post([&] { order.push_back("another thread's"); });
    }).join();
  });
  RunOn(loop, [] {});
  EXPECT_EQ(order,
            (std::vector<std::string>{"the loop's", "another thread's"}));
}

// Two connected sockets.
struct SocketPair {
  SocketPair() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  }
  ~SocketPair() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

// Once watched by the system, once not: epoll takes no descriptor twice.
class WatchTest : public ::testing::TestWithParam<bool> {
 protected:
  WatchTest() {
    RunOn(loop, [&] {
      if (GetParam()) return;
      occupant = std::make_unique<DescriptorWatch>(
          loop, sockets.ends[0], DescriptorWatch::Callbacks());
    });
  }
  ~WatchTest() override {
    RunOn(loop, [&] { occupant.reset(); });
  }

  EventLoop loop;
  SocketPair sockets;
  std::unique_ptr<DescriptorWatch> occupant;
  std::unique_ptr<DescriptorWatch> watch;
};

INSTANTIATE_TEST_SUITE_P(Watched, WatchTest, ::testing::Bool());

TEST_P(WatchTest, TellsAsOftenAsItIsAsked) {
  int readable = 0;
  absl::Notification thrice;
  absl::Notification writable;
  RunOn(loop, [&] {
    watch = std::make_unique<DescriptorWatch>(
        loop, sockets.ends[0],
        DescriptorWatch::Callbacks{[&] {
                                     // Nobody has read what is there.
                                     if (++readable < 3) {
                                       watch->WaitReadable();
                                     } else {
                                       thrice.Notify();
                                     }
                                   },
                                   [&] { writable.Notify(); }});
    watch->WaitReadable();
    watch->WaitReadable();
    watch->WaitWritable();
  });
  writable.WaitForNotification();
  RunOn(loop, [&] { EXPECT_EQ(readable, 0); });
  EXPECT_EQ(write(sockets.ends[1], "x", 1), 1);
  thrice.WaitForNotification();
  RunOn(loop, [&] { watch.reset(); });
  EXPECT_EQ(readable, 3);
}

TEST_P(WatchTest, MayEndInItsOwnCallback) {
  absl::Notification ended;
  RunOn(loop, [&] {
    // Both are ready at once; the first to come is the last.
    const auto end = [&] {
      watch.reset();
      ended.Notify();
    };
    watch = std::make_unique<DescriptorWatch>(
        loop, sockets.ends[0], DescriptorWatch::Callbacks{end, end});
    watch->WaitReadable();
    watch->WaitWritable();
    EXPECT_EQ(write(sockets.ends[1], "x", 1), 1);
  });
  ended.WaitForNotification();
  RunOn(loop, [] {});
}

TEST_P(WatchTest, TellsOfAHangUp) {
  absl::Notification readable;
  absl::Notification writable;
  RunOn(loop, [&] {
    watch = std::make_unique<DescriptorWatch>(
        loop, sockets.ends[0],
        DescriptorWatch::Callbacks{[&] { readable.Notify(); },
                                   [&] { writable.Notify(); }});
    EXPECT_EQ(shutdown(sockets.ends[1], SHUT_RDWR), 0);
    watch->WaitReadable();
    watch->WaitWritable();
  });
  readable.WaitForNotification();
  writable.WaitForNotification();
  RunOn(loop, [&] { watch.reset(); });
}

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read_end = ends[0];
    write_end = ends[1];
  }
  int read_end;
  int write_end;
};

TEST(PipeReaderTest, HandsOverEverythingThenTheEnd) {
  EventLoop loop;
  Pipe pipe;
  std::string read;
  absl::Notification ended;
  std::unique_ptr<PipeReader> reader;
  RunOn(loop, [&] {
    PipeReader::Callbacks callbacks;
    callbacks.on_data = [&](absl::string_view bytes) {
      read.append(bytes.data(), bytes.size());
    };
    callbacks.on_end = [&](int error) {
      EXPECT_EQ(error, 0);
      ended.Notify();
    };
    reader =
        std::make_unique<PipeReader>(loop, pipe.read_end, std::move(callbacks));
  });
  ASSERT_EQ(write(pipe.write_end, "one ", 4), 4);
  ASSERT_EQ(write(pipe.write_end, "two", 3), 3);
  close(pipe.write_end);
  ended.WaitForNotification();
  RunOn(loop, [&] { reader.reset(); });
  EXPECT_EQ(read, "one two");
}

TEST(PipeReaderTest, DrainTakesWhatIsThereWithoutWaitingForTheEnd) {
  EventLoop loop;
  Pipe pipe;
  std::string read;
  RunOn(loop, [&] {
    ASSERT_EQ(write(pipe.write_end, "last words", 10), 10);
    PipeReader::Callbacks callbacks;
    callbacks.on_data = [&](absl::string_view bytes) {
      read.append(bytes.data(), bytes.size());
    };
    callbacks.on_end = [](int /*error*/) { FAIL() << "the pipe is open"; };
    PipeReader reader(loop, pipe.read_end, std::move(callbacks));
    bool drained = false;
    reader.Drain(1 << 20, [&] { drained = true; });
    EXPECT_TRUE(drained);
    EXPECT_FALSE(reader.ended());
  });
  EXPECT_EQ(read, "last words");
  close(pipe.write_end);
}

TEST(PipeReaderTest, TheEndThatDrainFindsIsToldOnce) {
  EventLoop loop;
  Pipe pipe;
  close(pipe.write_end);
  std::vector<int> ends;
  std::unique_ptr<PipeReader> reader;
  RunOn(loop, [&] {
    PipeReader::Callbacks callbacks;
    callbacks.on_data = [](absl::string_view) { FAIL() << "there was none"; };
    callbacks.on_end = [&](int error) { ends.push_back(error); };
    reader =
        std::make_unique<PipeReader>(loop, pipe.read_end, std::move(callbacks));
    reader->Drain(1 << 20, [] {});
    EXPECT_TRUE(reader->ended());
  });
  // The wait that was under way ends on the loop before this.
  RunOn(loop, [] {});
  RunOn(loop, [&] { reader.reset(); });
  EXPECT_EQ(ends, std::vector<int>{0});
}

TEST(SdkThreadTest, AllSignalsAreBlockedThereAndNotHere) {
  Worker worker("goplugin-test");
  sigset_t there;
  absl::Notification done;
  worker.Post([&] {
    EXPECT_TRUE(OnSdkThread());
    pthread_sigmask(SIG_SETMASK, nullptr, &there);
    done.Notify();
  });
  done.WaitForNotification();
  sigset_t here;
  pthread_sigmask(SIG_SETMASK, nullptr, &here);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGUSR1}) {
    EXPECT_EQ(sigismember(&there, signal), 1) << signal;
    EXPECT_EQ(sigismember(&here, signal), 0) << signal;
  }
}

}  // namespace
}  // namespace goplugin::internal
