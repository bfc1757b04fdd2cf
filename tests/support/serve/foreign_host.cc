#include "tests/support/serve/foreign_host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "goplugin/internal/process/unique_fd.h"
#include "tests/support/serve/plugin_process.h"

namespace goplugin {
namespace {

// What the pipe says until its end.
std::string ReadAll(int fd) {
  std::string text;
  char bytes[4096];
  for (;;) {
    const ssize_t n = read(fd, bytes, sizeof bytes);
    if (n <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(n));
  }
}

void KillChildren() {
  std::ifstream children(
      absl::StrCat("/proc/self/task/", getpid(), "/children"));
  for (pid_t child = 0; children >> child;) kill(child, SIGKILL);
}

}  // namespace

ForeignHost::ForeignHost(
    std::vector<std::string> command,
    const std::map<std::string, std::string>& environment) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const internal::UniqueFd read_end(ends[0]);
  internal::UniqueFd write_end(ends[1]);
  pid_ = fork();
  if (pid_ == 0) {
    PluginProcess plugin(std::move(command), environment);
    const std::string line = plugin.ReadLine();
    if (write(write_end.get(), line.data(), line.size()) < 0) _exit(1);
    write_end.reset();
    for (;;) pause();
  }
  write_end.reset();
  line_ = absl::StrSplit(ReadAll(read_end.get()), '|');
}

void ForeignHost::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::vector<int> AwaitChildren(double seconds) {
  const auto give_up =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::vector<int> codes;
  bool killed = false;
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(-1, &status, killed ? 0 : WNOHANG);
    if (ended < 0) return codes;
    if (ended > 0 && !killed) {
      codes.push_back(WIFEXITED(status) ? WEXITSTATUS(status)
                                        : 128 + WTERMSIG(status));
    } else if (!killed && std::chrono::steady_clock::now() > give_up) {
      codes.push_back(-1);
      killed = true;
    }
    // Also what a killed shell leaves.
    if (killed) KillChildren();
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace goplugin
