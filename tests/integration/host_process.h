#ifndef TESTS_INTEGRATION_HOST_PROCESS_H_
#define TESTS_INTEGRATION_HOST_PROCESS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/harness/plugins.h"

namespace goplugin::testing {

// A host of its own, lonely_host, that was started and has said its line: ""
// when it has failed. Killed when this goes.
class HostProcess {
 public:
  // `prefix` is a command that runs it, as unshare; empty for none.
  explicit HostProcess(std::vector<std::string> arguments,
                       std::vector<std::string> prefix = {}) {
    prefix.push_back(RunfilePath("tests/integration/lonely_host"));
    prefix.insert(prefix.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : prefix) argv.push_back(&argument[0]);
    argv.push_back(nullptr);
    int pipe[2];
    EXPECT_EQ(pipe2(pipe, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(pipe[1], STDOUT_FILENO);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(pipe[1]);
    FILE* const stream = fdopen(pipe[0], "r");
    char text[4096] = {};
    if (fgets(text, sizeof text, stream) != nullptr) line_ = text;
    fclose(stream);
  }
  ~HostProcess() {
    if (pid_ > 0) Die(SIGKILL);
  }
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  const std::string& line() const { return line_; }

  // Sends the signal and waits for the end. The plugin's pid is on the line of
  // a host whose plugin dies with it: it is waited for, too.
  void Die(int signal) {
    EXPECT_EQ(kill(pid_, signal), 0);
    EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
    pid_ = -1;
    const int plugin = atoi(line_.c_str());
    if (plugin > 0) {
      EXPECT_EQ(waitpid(plugin, nullptr, 0), plugin);
    }
  }
  // The exit code of one that ends by itself.
  int Wait() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  std::string line_;
};

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_HOST_PROCESS_H_
