#include "tests/support/serve/plugin_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_split.h"

namespace goplugin {
namespace {

constexpr int kPatienceMs = 30'000;

void MakePipe(internal::UniqueFd& read_end, internal::UniqueFd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
}

// False at the end of the pipe.
bool ReadSome(internal::UniqueFd& fd, std::string& text) {
  char bytes[4096];
  const ssize_t n = read(fd.get(), bytes, sizeof bytes);
  if (n <= 0) return false;
  text.append(bytes, static_cast<std::size_t>(n));
  return true;
}

}  // namespace

PluginProcess::PluginProcess(
    std::vector<std::string> command,
    const std::map<std::string, std::string>& environment) {
  internal::UniqueFd stdout_write;
  internal::UniqueFd stderr_write;
  MakePipe(stdout_, stdout_write);
  MakePipe(stderr_, stderr_write);
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) {
    variables.push_back(name + "=" + value);
  }
  std::vector<char*> pointers;
  for (std::string& variable : variables) pointers.push_back(&variable[0]);
  pointers.push_back(nullptr);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(&argument[0]);
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, stdout_write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, stderr_write.get(), 2);
  if (posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(),
                   pointers.data()) != 0) {
    pid_ = -1;
  }
  posix_spawn_file_actions_destroy(&actions);
}

PluginProcess::~PluginProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool PluginProcess::Read() {
  // A negative descriptor is passed over.
  pollfd fds[2] = {{stdout_.get(), POLLIN, 0}, {stderr_.get(), POLLIN, 0}};
  if (!stdout_.valid() && !stderr_.valid()) return false;
  if (poll(fds, 2, kPatienceMs) <= 0) return false;
  if (fds[0].revents != 0 && !ReadSome(stdout_, stdout_text_)) stdout_.reset();
  if (fds[1].revents != 0 && !ReadSome(stderr_, stderr_text_)) stderr_.reset();
  return true;
}

std::string PluginProcess::ReadLine() {
  while (stdout_text_.find('\n') == std::string::npos && Read()) {
  }
  const std::size_t end = stdout_text_.find('\n');
  std::string line = stdout_text_.substr(0, end);
  stdout_text_.erase(0, end == std::string::npos ? end : end + 1);
  return line;
}

std::vector<std::string> PluginProcess::ReadFields() {
  return absl::StrSplit(ReadLine(), '|');
}

void PluginProcess::Signal(int signal) { kill(pid_, signal); }

void PluginProcess::CloseOutputs() {
  stdout_.reset();
  stderr_.reset();
}

int PluginProcess::Wait() {
  if (pid_ <= 0) return -1;
  while (Read()) {
  }
  // Open pipes: it still runs. The destructor deals with it.
  if (stdout_.valid() || stderr_.valid()) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace goplugin
