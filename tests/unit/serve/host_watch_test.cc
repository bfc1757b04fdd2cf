#include "goplugin/internal/serve/host_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "goplugin/internal/process/unique_fd.h"
#include "gtest/gtest.h"
#include "tests/support/serve/foreign_host.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;

// Longer than a host is waited for.
constexpr int kLongMs = 3000;
constexpr int kPatienceMs = 30'000;

struct Ends {
  UniqueFd host;
  UniqueFd plugin;
};

Ends Pipe() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Ends SocketPair() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A process that watches for its host, which is gone: only this one holds the
// other ends of its stdout and stderr.
class Orphan {
 public:
  Orphan(const Ends& out, const Ends& err) : report_(Pipe()) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t host = fork();
    if (host == 0) {
      if (fork() == 0) Watch(out, err);
      for (;;) pause();
    }
    report_.plugin.reset();
    EXPECT_EQ(Read(kPatienceMs), 'r');
    kill(host, SIGKILL);
    EXPECT_EQ(waitpid(host, nullptr, 0), host);
  }
  ~Orphan() {
    int status = -1;
    EXPECT_GT(waitpid(-1, &status, 0), 0);
    EXPECT_EQ(status, 0) << "it did not sleep, or could not tell";
  }
  Orphan(const Orphan&) = delete;
  Orphan& operator=(const Orphan&) = delete;

  bool HasLostItsHostWithin(int milliseconds) {
    return Read(milliseconds) == 'l';
  }

 private:
  [[noreturn]] void Watch(const Ends& out, const Ends& err) {
    dup2(out.plugin.get(), STDOUT_FILENO);
    dup2(err.plugin.get(), STDERR_FILENO);
    HostWatch watch;
    // The host's ends, and copies.
    for (const int fd : {out.host.get(), err.host.get(), out.plugin.get(),
                         err.plugin.get(), report_.host.get()}) {
      close(fd);
    }
    const Ends end = Pipe();
    Say(watch.sees() ? 'r' : 'b');
    Say(watch.WaitForLoss(end.host.get(), {"no name"}) ? 'l' : 'e');
    rusage used = {};
    getrusage(RUSAGE_SELF, &used);
    // It has not slept, but looked again and again.
    _exit(used.ru_nvcsw > 200 ? 1 : 0);
  }
  void Say(char word) {
    if (write(report_.plugin.get(), &word, 1) != 1) _exit(2);
  }
  // '\0' when nothing comes.
  char Read(int milliseconds) {
    pollfd fd = {report_.host.get(), POLLIN, 0};
    char word = '\0';
    if (poll(&fd, 1, milliseconds) != 1) return '\0';
    return read(fd.fd, &word, 1) == 1 ? word : '\0';
  }

  Ends report_;
};

// `end` never comes. Calls `let_go` once; true when the host is lost.
using Watching = std::function<bool(HostWatch& watch, int end,
                                    const std::function<void()>& let_go)>;

// What becomes of a plugin whose host, this process, lives: exit code 0 when it
// finds that lost. When it calls let_go, the shell that has started it is
// killed, and then the host closes its pipes.
std::vector<int> EndsBehindAKilledShell(const Watching& watching) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Ends output = Pipe();
  Ends asked = Pipe();
  Ends done = Pipe();
  const pid_t shell = fork();
  if (shell == 0) {
    output.host.reset();
    done.plugin.reset();
    if (fork() != 0) {
      for (;;) pause();
    }
    dup2(output.plugin.get(), STDOUT_FILENO);
    dup2(output.plugin.get(), STDERR_FILENO);
    HostWatch watch;
    const Ends end = Pipe();
    const bool lost = watching(watch, end.host.get(), [&] {
      char none;
      if (write(asked.plugin.get(), "?", 1) != 1) _exit(1);
      if (read(done.host.get(), &none, 1) != 0) _exit(1);
    });
    _exit(lost ? 0 : 2);
  }
  char word;
  EXPECT_EQ(read(asked.host.get(), &word, 1), 1);
  kill(shell, SIGKILL);
  EXPECT_EQ(waitpid(shell, nullptr, 0), shell);
  output.host.reset();
  done.plugin.reset();
  return AwaitChildren(kPatienceMs / 1000.0);
}

// On a busy machine a host may do all that before a plugin whose line it has
// gets to its watch.
TEST(HostWatchTest, AShellMayBeKilledBeforeTheWatchBegins) {
  const auto late = [](HostWatch& watch, int end, const auto& let_go) {
    let_go();
    return watch.WaitForLoss(end, {"no name", [] { return 1; }});
  };
  EXPECT_THAT(EndsBehindAKilledShell(late), ElementsAre(0));
}

// With the pipes closed nothing tells of its visit.
TEST(HostWatchTest, AHostThatHasLetGoMayComeOnceMore) {
  const auto visited = [](HostWatch& watch, int end, const auto& let_go) {
    int looks = 0;
    const auto visits = [&] {
      if (++looks == 1) let_go();
      return looks > 2 ? 1 : 0;
    };
    return watch.WaitForLoss(end, {"no name", visits});
  };
  EXPECT_THAT(EndsBehindAKilledShell(visited), ElementsAre(0));
}

// Read ends that a sibling has inherited, for one.
TEST(HostWatchTest, EachPipeMustBeWithoutAReader) {
  Ends out = Pipe();
  Ends err = Pipe();
  Orphan orphan(out, err);
  EXPECT_FALSE(orphan.HasLostItsHostWithin(kLongMs));
  out.host.reset();
  EXPECT_FALSE(orphan.HasLostItsHostWithin(kLongMs));
  err.host.reset();
  EXPECT_TRUE(orphan.HasLostItsHostWithin(kPatienceMs));
}

// A host that says it will not write, or that has written what nobody reads,
// still reads.
TEST(HostWatchTest, ASocketsOtherSideMustBeClosed) {
  Ends both = SocketPair();
  Orphan orphan(both, both);
  ASSERT_EQ(write(both.host.get(), "words", 5), 5);
  ASSERT_EQ(shutdown(both.host.get(), SHUT_WR), 0);
  EXPECT_FALSE(orphan.HasLostItsHostWithin(kLongMs));
  both.host.reset();
  EXPECT_TRUE(orphan.HasLostItsHostWithin(kPatienceMs));
}

TEST(HostWatchTest, OneThatTellsIsEnough) {
  Ends out = Pipe();
  const Ends null = {UniqueFd(), UniqueFd(open("/dev/null", O_RDWR))};
  Orphan orphan(out, null);
  EXPECT_FALSE(orphan.HasLostItsHostWithin(kLongMs));
  out.host.reset();
  EXPECT_TRUE(orphan.HasLostItsHostWithin(kPatienceMs));
}

TEST(HostWatchTest, FilesAndDevicesTellNothing) {
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR);
    const int file = open("/proc/self/exe", O_RDONLY);
    dup2(null, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    _exit(HostWatch().sees() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// Nothing is heard of its other end.
TEST(HostWatchTest, ADatagramSocketAndAFifoThatItReadsItselfTellNothing) {
  const pid_t child = fork();
  if (child == 0) {
    int ends[2];
    const std::string path = absl::StrCat("/tmp/fifo_", getpid());
    const bool made =
        mkfifo(path.c_str(), 0600) == 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0;
    const int fifo = open(path.c_str(), O_RDWR | O_CLOEXEC);
    unlink(path.c_str());
    dup2(ends[1], STDOUT_FILENO);
    dup2(fifo, STDERR_FILENO);
    _exit(made && !HostWatch().sees() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace goplugin::internal
