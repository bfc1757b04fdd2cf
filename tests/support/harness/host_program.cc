#include "tests/support/harness/host_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/harness/leftovers.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

// How long a plugin whose host is gone may take to follow, on a busy machine.
constexpr absl::Duration kFollow = absl::Seconds(10);
constexpr off_t kMaxWords = 2000;

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string NameOf(const std::string& assignment) {
  return assignment.substr(0, assignment.find('=') + 1);
}

std::vector<std::string> Merge(const std::vector<std::string>& own) {
  std::vector<std::string> all = own;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    bool replaced = false;
    for (const std::string& mine : own) {
      replaced = replaced || absl::StartsWith(*entry, NameOf(mine));
    }
    if (!replaced) all.emplace_back(*entry);
  }
  return all;
}

pid_t Spawn(const std::vector<std::string>& arguments,
            const std::vector<std::string>& environment, int in, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, arguments[0].c_str(), &actions, nullptr,
                        Pointers(arguments).data(),
                        Pointers(Merge(environment)).data()),
            0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// Whether `fd` becomes ready, or is hung up, in time.
bool WaitFor(int fd, absl::Duration limit) {
  pollfd watched = {fd, POLLIN, 0};
  return poll(&watched, 1, static_cast<int>(ToInt64Milliseconds(limit))) > 0;
}

std::string LastWords(int fd) {
  const off_t size = lseek(fd, 0, SEEK_END);
  const off_t from = size > kMaxWords ? size - kMaxWords : 0;
  std::string words(static_cast<size_t>(size - from), '\0');
  if (pread(fd, words.data(), words.size(), from) < 0) return "unreadable";
  return words;
}

}  // namespace

HostEnd RunHost(const std::vector<std::string>& arguments,
                const std::vector<std::string>& environment,
                absl::Duration limit) {
  int life[2] = {-1, -1};
  EXPECT_EQ(pipe2(life, O_CLOEXEC), 0);
  const int words = memfd_create("words", MFD_CLOEXEC);
  const pid_t pid = Spawn(arguments, environment, life[1], words);
  close(life[1]);
  HostEnd end;
  if (pid > 0) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    end.hung = !WaitFor(pidfd, limit);
    if (end.hung) kill(pid, SIGKILL);
    EXPECT_EQ(waitpid(pid, &end.status, 0), pid);
    close(pidfd);
    end.heirs = !WaitFor(life[0], kFollow);
  }
  end.words = LastWords(words);
  close(life[0]);
  close(words);
  return end;
}

std::string Describe(const HostEnd& end) {
  std::string text = WIFSIGNALED(end.status)
                         ? absl::StrCat("signal ", WTERMSIG(end.status))
                         : absl::StrCat("exit code ", WEXITSTATUS(end.status));
  if (end.hung) text = "hung";
  if (end.heirs) absl::StrAppend(&text, ", a plugin lives on");
  if (!end.words.empty()) absl::StrAppend(&text, "; it said: ", end.words);
  return text;
}

void ReapOrphans() {
  const absl::Time give_up = absl::Now() + kFollow;
  while (absl::Now() < give_up) {
    const pid_t reaped = waitpid(-1, nullptr, WNOHANG);
    if (reaped < 0) return;
    if (reaped == 0) absl::SleepFor(absl::Milliseconds(2));
  }
  siginfo_t info = {};
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int pid = atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (waitid(P_PID, static_cast<id_t>(pid), &info,
               WEXITED | WNOHANG | WNOWAIT) != 0) {
      continue;  // nobody's child, or another's
    }
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}

std::vector<std::string> FilesBelow(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    if (IsOfASanitizer(entry.path().string())) continue;
    files.push_back(fs::relative(entry.path(), directory, error).string());
  }
  return files;
}

}  // namespace goplugin::testing
