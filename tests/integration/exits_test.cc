// Hosts that end while launches and clients are there, each way with each
// phase. EXITS_RUNS is how often each cell runs (1); 60 makes a thousand of
// each way.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "gtest/gtest.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/host_program.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

// How it ends: "return" from main, "exit", "_exit", "quick_exit", "throw",
// "sigterm".
using Words = std::vector<std::string>;
// A launch under way: "none"; just "begun"; a program that is "checked" for
// ever; a "runner" that does not come back; a plugin that says no "line", or
// does not answer ("connect"); a callback that does not return before the
// client is handed over ("handover"). Not of these: "threads" that are in the
// middle of each method that waits; "inside X", where X, a callback, exits.
const Words kUnderWay = {"begun", "checked", "runner",
                         "line",  "connect", "handover"};
// A ready client: "none"; of main ("local"); "leaked"; "dropped" in its
// callback; "static" in a function; "global".
const Words kClients = {"none",    "local",  "leaked",
                        "dropped", "static", "global"};

// The shutdown ladder of exit_host, the second of its own that the end of a
// client may take besides, and a busy machine.
constexpr absl::Duration kLimit = absl::Seconds(2 + 1 + 7);
constexpr int kAtATime = 6;

struct Cell {
  std::string way;
  std::string phase;
  std::string client;
  // What became of the launch: "dropped", "cancelled", "waited" for by
  // CancelAndWait, or "all" ended by ShutdownAll.
  std::string handle;
  // Whether the next launch may find files.
  bool may_leave_files = false;
};

std::string NameOf(const Cell& cell) {
  return absl::StrCat(cell.way, " ", cell.phase, " ", cell.client, " ",
                      cell.handle);
}

bool EndsAsItWanted(const Cell& cell, int status) {
  if (cell.way == "throw") {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  }
  if (cell.way == "sigterm") {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

int Runs() {
  const char* runs = getenv("EXITS_RUNS");
  return runs == nullptr ? 1 : atoi(runs);
}

class ExitsTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    big_ = ScratchPath("big");
    std::ofstream(big_) << "\x7f"
                        << "ELF";
    fs::resize_file(big_, uintmax_t{1} << 37);
    chmod(big_.c_str(), 0755);
  }

  void TearDown() override {
    ReapOrphans();
    HarnessTest::TearDown();
  }

  void Add(const Cell& cell) { cells_.push_back(cell); }

  // Runs all cells, some at a time, and tells which went wrong.
  void RunAll() {
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    const size_t total = cells_.size() * static_cast<size_t>(Runs());
    for (int i = 0; i < kAtATime; ++i) {
      threads.emplace_back([&] {
        for (size_t at = next++; at < total; at = next++) {
          RunOne(cells_[at % cells_.size()], absl::StrCat(at));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    internal::MutexLock lock(mutex_);
    EXPECT_TRUE(wrong_.empty()) << wrong_.size() << " of " << total << ":\n"
                                << absl::StrJoin(wrong_, "\n");
  }

 private:
  HostEnd Run(const std::string& directory, const Cell& cell) const {
    std::vector<std::string> environment = {
        absl::StrCat("TMPDIR=", directory),
        absl::StrCat("XDG_RUNTIME_DIR=", directory),
        absl::StrCat("EXIT_HOST_BIG=", big_)};
    // A client that is leaked is a leak, and threads that go on while the
    // process ends leave what they are at.
    if (cell.client == "leaked" || cell.phase == "threads" ||
        absl::StartsWith(cell.phase, "inside ")) {
      environment.emplace_back("ASAN_OPTIONS=detect_leaks=0");
    }
    return RunHost({RunfilePath("tests/integration/exit_host"), cell.way,
                    cell.phase, cell.client, cell.handle},
                   environment, kLimit);
  }

  void RunOne(const Cell& cell, const std::string& name) {
    const std::string directory = ScratchPath(name);
    fs::create_directory(directory);
    const HostEnd end = Run(directory, cell);
    if (end.hung || end.heirs || !EndsAsItWanted(cell, end.status)) {
      Wrong(cell, Describe(end));
    }
    if (cell.may_leave_files && !FilesBelow(directory).empty()) {
      const HostEnd sweep =
          Run(directory, {"return", "none", "local", "dropped"});
      if (!EndsAsItWanted(Cell(), sweep.status)) {
        Wrong(cell, "the next launch: " + Describe(sweep));
      }
    }
    const std::vector<std::string> left = FilesBelow(directory);
    if (!left.empty()) {
      Wrong(cell, "left: " + absl::StrJoin(left, ", "));
    }
    fs::remove_all(directory);
  }

  void Wrong(const Cell& cell, const std::string& what) {
    internal::MutexLock lock(mutex_);
    wrong_.push_back(absl::StrCat(NameOf(cell), ": ", what));
  }

  std::string big_;
  std::vector<Cell> cells_;
  absl::Mutex mutex_;
  std::vector<std::string> wrong_ ABSL_GUARDED_BY(mutex_);
};

// Destructors and exit handlers run: nothing may be left, but for what was lent
// to a runner whose Start does not return, and may still use it.
class OrderlyExitsTest : public ExitsTest,
                         public ::testing::WithParamInterface<const char*> {
 protected:
  std::string way() const { return GetParam(); }
};

TEST_P(OrderlyExitsTest, WithALaunchUnderWay) {
  for (const std::string& phase : kUnderWay) {
    Add({way(), phase, "none", "dropped", phase == "runner"});
    Add({way(), phase, "none", "cancelled", phase == "runner"});
  }
  RunAll();
}

TEST_P(OrderlyExitsTest, WithAClient) {
  for (const std::string& client : kClients) {
    Add({way(), "none", client, "dropped"});
  }
  RunAll();
}

TEST_P(OrderlyExitsTest, WithAClientAndALaunchUnderWay) {
  for (const std::string& phase : kUnderWay) {
    for (const std::string& client : kClients) {
      if (client == "none") continue;
      Add({way(), phase, client, "cancelled", phase == "runner"});
    }
  }
  RunAll();
}

TEST_P(OrderlyExitsTest, WhileOtherThreadsWait) {
  for (int i = 0; i < 10; ++i) Add({way(), "threads", "none", "dropped"});
  RunAll();
}

INSTANTIATE_TEST_SUITE_P(, OrderlyExitsTest,
                         ::testing::Values("return", "exit"));

class ExitsInsideTest : public ExitsTest {};

TEST_F(ExitsInsideTest, EachCallback) {
  for (const char* callback :
       {"done", "phase", "sink", "stderr_sink", "stdio_sink", "telemetry",
        "on_exit", "shutdown", "explain", "runner"}) {
    const bool is_runner = callback == std::string("runner");
    for (const char* client : {"none", "local"}) {
      Add({"exit", absl::StrCat("inside ", callback), client, "dropped",
           is_runner});
    }
  }
  RunAll();
}

// Nothing of ours runs: files may be left, and the next launch sweeps them.
class SuddenExitsTest : public ExitsTest,
                        public ::testing::WithParamInterface<const char*> {
 protected:
  std::string way() const { return GetParam(); }
};

TEST_P(SuddenExitsTest, TheNextLaunchSweeps) {
  for (const std::string& phase : kUnderWay) {
    Add({way(), phase, "none", "dropped", true});
    Add({way(), phase, "leaked", "cancelled", true});
  }
  for (const std::string& client : kClients) {
    Add({way(), "none", client, "dropped", true});
  }
  RunAll();
}

INSTANTIATE_TEST_SUITE_P(, SuddenExitsTest,
                         ::testing::Values("_exit", "quick_exit", "throw",
                                           "sigterm"));

// Whoever has waited for the end of all launches may end as he likes.
class ExitsAfterAWaitTest : public ExitsTest,
                            public ::testing::WithParamInterface<const char*> {
 protected:
  std::string way() const { return GetParam(); }
};

TEST_P(ExitsAfterAWaitTest, ForTheCancelledLaunch) {
  for (const char* phase : {"begun", "checked", "line", "connect"}) {
    Add({way(), phase, "none", "waited"});
  }
  RunAll();
}

TEST_P(ExitsAfterAWaitTest, ForEverything) {
  for (const char* phase :
       {"begun", "checked", "line", "connect", "handover"}) {
    Add({way(), phase, "none", "all"});
    Add({way(), phase, "leaked", "all"});
  }
  RunAll();
}

INSTANTIATE_TEST_SUITE_P(, ExitsAfterAWaitTest,
                         ::testing::Values("return", "_exit", "sigterm"));

}  // namespace
}  // namespace goplugin::testing
