#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "goplugin/exit_status.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/process/spawn.h"
#include "goplugin/internal/process/unique_fd.h"
#include "goplugin/internal/start/child_plugin_process.h"

namespace goplugin::internal {
namespace {

// A child that waits until it is killed, by its parent's end at the latest.
pid_t StartChild() {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (true) pause();
}

// One end of a connection that was reset: reading it fails once.
int BrokenDescriptor() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
      0);
  EXPECT_EQ(write(ends[0], "x", 1), 1);
  close(ends[1]);  // with a byte unread
  return ends[0];
}

TEST(PluginProcessTest, AFailedReadIsToldAndDisturbsNothing) {
  ChildProcess child;
  child.pid = StartChild();
  ASSERT_GT(child.pid, 0);
  int quiet[2] = {-1, -1};
  ASSERT_EQ(pipe2(quiet, O_CLOEXEC | O_NONBLOCK), 0);
  child.stdout_pipe = UniqueFd(quiet[0]);
  child.stderr_pipe = UniqueFd(BrokenDescriptor());
  std::promise<std::pair<std::string, int>> told;
  std::promise<ExitStatus> exited;
  const pid_t pid = child.pid;

  EventLoop loop;
  Pool pool(loop, "goplugin-work", 4);
  std::unique_ptr<PluginProcess> process;
  loop.Post([&] {
    PluginProcess::Callbacks callbacks;
    callbacks.on_stdout = [](absl::string_view) {};
    callbacks.on_stdout_end = [] {};
    callbacks.on_stderr = [](absl::string_view) {};
    callbacks.on_read_error = [&](absl::string_view stream, int error) {
      told.set_value({std::string(stream), error});
    };
    callbacks.on_exit = [&](ExitStatus status) { exited.set_value(status); };
    process = std::make_unique<ChildPluginProcess>(loop, pool, std::move(child),
                                                   std::move(callbacks));
  });
  const auto [stream, error] = told.get_future().get();
  EXPECT_EQ(stream, "stderr");
  EXPECT_EQ(error, ECONNRESET);
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the process was disturbed";

  loop.Post([&] { process->Signal(SIGKILL); });
  EXPECT_EQ(exited.get_future().get(),
            (ExitStatus{ExitStatus::Kind::kSignalled, SIGKILL}));
  std::promise<void> gone;
  loop.Post([&] {
    process.reset();
    gone.set_value();
  });
  gone.get_future().get();
  close(quiet[1]);
}

}  // namespace
}  // namespace goplugin::internal
