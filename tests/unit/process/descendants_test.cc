#include "goplugin/internal/process/descendants.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/net/peer.h"
#include "goplugin/internal/process/process_stat.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr int kPatienceMs = 30'000;

[[noreturn]] void SleepForEver() {
  for (;;) pause();
}

// A process that does `work`, and whoever inherits the pipe that is given to
// it. What it leaves becomes this process's child.
class Family {
 public:
  explicit Family(const std::function<void(int)>& work) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    EXPECT_EQ(pipe(pipe_), 0);
    child_.pid = fork();
    if (child_.pid == 0) {
      close(pipe_[0]);
      work(pipe_[1]);
      SleepForEver();
    }
    close(pipe_[1]);
    child_.pidfd = OpenProcess(child_.pid);
  }
  ~Family() {
    close(pipe_[0]);
    kill(child_.pid, SIGKILL);
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  ChildProcess& child() { return child_; }
  // 'e' when all that hold the pipe have ended, '\0' when nothing comes.
  char Read(int milliseconds = kPatienceMs) {
    pollfd fd = {pipe_[0], POLLIN, 0};
    char word = '\0';
    if (poll(&fd, 1, milliseconds) != 1) return '\0';
    return read(pipe_[0], &word, 1) == 1 ? word : 'e';
  }

 private:
  ChildProcess child_;
  int pipe_[2] = {-1, -1};
};

void Say(int pipe, char word) { EXPECT_EQ(write(pipe, &word, 1), 1); }

// As a plugin is killed.
void Kill(const ChildProcess& child) {
  Descendants descendants;
  const absl::Time give_up = absl::Now() + Descendants::kStopTime;
  while (!descendants.Stop(child, /*reaped=*/false) && absl::Now() < give_up) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  descendants.Signal(child, /*reaped=*/false, SIGKILL);
}

// Forks again and again, which takes some time with so much memory; what it has
// forked says so when it is left alone.
void ForkForEver(int pipe) {
  constexpr size_t kMemory = size_t{128} << 20;
  mmap(nullptr, kMemory, PROT_READ | PROT_WRITE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  signal(SIGCHLD, SIG_IGN);
  const pid_t parent = getpid();
  Say(pipe, 'r');
  for (;;) {
    if (fork() == 0) {
      usleep(30'000);
      if (getppid() != parent) Say(pipe, 's');
      _exit(0);
    }
    usleep(3000);
  }
}

TEST(DescendantsTest, AForkThatIsUnderWayDoesNotEscape) {
  for (int i = 0; i < 8; ++i) {
    Family family(ForkForEver);
    ASSERT_EQ(family.Read(), 'r');
    usleep(static_cast<useconds_t>(10'000 + 1300 * i));
    Kill(family.child());
    EXPECT_EQ(family.Read(), 'e') << "one has survived, at " << i;
  }
}

TEST(DescendantsTest, ZombiesTakeNoPlaces) {
  Family family([](int pipe) {
    for (int i = 0; i < 300; ++i) {
      if (fork() == 0) _exit(0);
    }
    usleep(100'000);
    if (fork() == 0) SleepForEver();
    Say(pipe, 'r');
  });
  ASSERT_EQ(family.Read(), 'r');
  Kill(family.child());
  EXPECT_EQ(family.Read(), 'e');
}

TEST(DescendantsTest, ALookIsBounded) {
  Family family([](int pipe) {
    for (int i = 0; i < 1500; ++i) {
      if (fork() == 0) _exit(0);
    }
    Say(pipe, 'r');
  });
  ASSERT_EQ(family.Read(), 'r');
  Descendants descendants;
  const absl::Time start = absl::Now();
  descendants.Find(family.child(), /*reaped=*/false);
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(200));
}

TEST(DescendantsTest, OnesThatHaveLeftTheChildsGroupAreFound) {
  Family family([](int pipe) {
    setpgid(0, 0);
    if (fork() == 0) {
      setsid();
      Say(pipe, 'r');
      SleepForEver();
    }
  });
  ASSERT_EQ(family.Read(), 'r');
  family.child().leads_group = true;
  Descendants().Signal(family.child(), /*reaped=*/false, SIGTERM);
  EXPECT_EQ(family.Read(), 'e');
}

TEST(DescendantsTest, AGroupGetsASignalOnce) {
  static int pipe_end;
  Family family([](int pipe) {
    setpgid(0, 0);
    pipe_end = pipe;
    if (fork() == 0) {
      signal(SIGTERM, [](int /*signal*/) {
        const char word = 't';
        static_cast<void>(!write(pipe_end, &word, 1));
      });
      Say(pipe, 'r');
      SleepForEver();
    }
  });
  ASSERT_EQ(family.Read(), 'r');
  family.child().leads_group = true;
  Descendants descendants;
  descendants.Signal(family.child(), /*reaped=*/false, SIGTERM);
  EXPECT_EQ(family.Read(), 't');
  EXPECT_EQ(family.Read(200), '\0');
  Kill(family.child());
}

void* SleepAsAThread(void* /*unused*/) { SleepForEver(); }

TEST(ProcessStatTest, TheMainThreadMayGoBeforeTheOthers) {
  Family family([](int pipe) {
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, nullptr, SleepAsAThread, nullptr), 0);
    Say(pipe, 'r');
    // The thread alone.
    syscall(SYS_exit, 0);
  });
  ASSERT_EQ(family.Read(), 'r');
  usleep(100'000);
  const absl::optional<ProcessStat> stat = ReadProcessStat(family.child().pid);
  ASSERT_TRUE(stat.has_value());
  EXPECT_FALSE(stat->has_ended);
}

// Whose numbers mean others there.
TEST(ProcessStatTest, AnotherPidNamespacesProcTellsNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may make namespaces";
  EXPECT_TRUE(ProcHasOurNumbers());
  Family family([](int pipe) {
    if (unshare(CLONE_NEWPID) != 0) _exit(1);
    if (fork() == 0) {
      Say(pipe, !ProcHasOurNumbers() && !ReadProcessStat(getpid()).has_value()
                    ? 'r'
                    : 'w');
    }
  });
  EXPECT_EQ(family.Read(), 'r');
  Kill(family.child());
}

}  // namespace
}  // namespace goplugin::internal
