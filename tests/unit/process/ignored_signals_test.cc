// Signals that whoever started the host had it ignore (nohup, a shell's "&",
// cron) stay ignored in its plugins, in whichever way the library is linked.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include "gtest/gtest.h"

namespace {

std::uint64_t Bit(int signal) { return std::uint64_t{1} << (signal - 1); }

// What the child of a host that starts with these ignored says of itself.
std::uint64_t IgnoredByTheChild(const char* host, const char* argument,
                                std::initializer_list<int> ignored) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    for (const int signal : ignored) ::signal(signal, SIG_IGN);
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execl(host, host, argument, nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  char buffer[512];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << output;
  const size_t at = output.find("SigIgn:\t");
  EXPECT_NE(at, std::string::npos) << output;
  return at == std::string::npos
             ? 0
             : std::strtoull(output.c_str() + at + 8, nullptr, 16);
}

class IgnoredSignalsTest : public testing::TestWithParam<const char*> {};

TEST_P(IgnoredSignalsTest, StayIgnored) {
  const char* host = std::getenv(GetParam());
  ASSERT_NE(host, nullptr);
  const char* library = std::getenv("HOST_LIBRARY");
  // The host has a handler for SIGHUP by now, and took SIGQUIT back.
  EXPECT_EQ(
      IgnoredByTheChild(host, library, {SIGHUP, SIGINT, SIGQUIT, SIGUSR1}),
      Bit(SIGHUP) | Bit(SIGINT));
  // What its own code ignores is its own.
  EXPECT_EQ(IgnoredByTheChild(host, library, {}), 0u);
}

INSTANTIATE_TEST_SUITE_P(Linked, IgnoredSignalsTest,
                         testing::Values("HOST_STATIC", "HOST_SHARED",
                                         "HOST_DLOPEN"),
                         [](const auto& info) {
                           return std::string(info.param + 5);
                         });

}  // namespace
