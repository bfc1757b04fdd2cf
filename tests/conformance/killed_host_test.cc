// A stock Go host that is killed, again and again: the C++ plugin ends with it.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/run_host.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/serve/foreign_host.h"

namespace goplugin::testing {
namespace {

// All in all 50 hosts are killed.
constexpr int kHosts = 10;
// What Serve promises, and what 10 plugins need on a busy machine to end.
constexpr double kSeconds = 5;

struct Kind {
  const char* name;
  std::vector<std::string> flags = {};
  // What the host starts in front of the plugin.
  std::vector<std::string> wrapper = {};
  // Killed while it starts the plugin, not when it has called it.
  bool early = false;
};

std::vector<std::string> Shell() {
  return {"/bin/sh", "-c", "\"$0\" \"$@\"; exit $?"};
}

pid_t Spawn(std::vector<std::string> argv, const std::string& directory) {
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(),
                        environ),
            0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

class KilledHostTest : public PeersTest,
                       public ::testing::WithParamInterface<Kind> {
 protected:
  KilledHostTest() : PeersTest({"host"}) {}

  pid_t Start(int number) const {
    const Kind& kind = GetParam();
    std::vector<std::string> argv = {PeerPath("host"), "-settle", "1h", "-put",
                                     absl::StrCat(number, "=x")};
    argv.insert(argv.end(), kind.flags.begin(), kind.flags.end());
    argv.insert(argv.end(), kind.wrapper.begin(), kind.wrapper.end());
    argv.push_back(RunfilePath("examples/plugin_cpp/plugin_cpp"));
    return Spawn(std::move(argv), data());
  }

  // Whether the host has called its plugin.
  bool HasCalled(int number) const {
    return std::filesystem::exists(absl::StrCat(data(), "/kv_", number));
  }
  void AwaitCall(int number) const {
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    while (!HasCalled(number) && absl::Now() < give_up) {
      absl::SleepFor(absl::Milliseconds(2));
    }
    EXPECT_TRUE(HasCalled(number));
  }
};

// What is left is this process's: the harness adopts orphans, and looks for
// sockets at the end.
TEST_P(KilledHostTest, NoneIsLeftAfterFiveSeconds) {
  std::vector<pid_t> hosts;
  for (int number = 0; number < kHosts; ++number) {
    hosts.push_back(Start(number));
    if (GetParam().early) absl::SleepFor(absl::Milliseconds(5 * number));
    if (GetParam().early) kill(hosts.back(), SIGKILL);
  }
  if (!GetParam().early) {
    for (int number = 0; number < kHosts; ++number) AwaitCall(number);
    for (const pid_t host : hosts) kill(host, SIGKILL);
  }
  for (const pid_t host : hosts) waitpid(host, nullptr, 0);
  const std::vector<int> codes = AwaitChildren(kSeconds);
  if (GetParam().early) {
    // 1: nobody has read its line.
    EXPECT_THAT(codes, ::testing::Each(::testing::AnyOf(0, 1)));
  } else {
    EXPECT_THAT(
        codes, ::testing::AllOf(::testing::SizeIs(kHosts), ::testing::Each(0)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stock, KilledHostTest,
    ::testing::Values(Kind{"Plain"}, Kind{"AutoMtls", {"-automtls"}},
                      Kind{"Multiplexed", {"-mux"}},
                      Kind{"InAShell", {}, Shell()},
                      Kind{"AutoMtlsInAShell", {"-automtls"}, Shell()},
                      Kind{"MultiplexedAsItStarts", {"-mux"}, {}, true},
                      Kind{"InAShellAsItStarts", {}, Shell(), true}),
    [](const auto& info) { return std::string(info.param.name); });

// As Nomad does: the plugin of a host that was killed is another's afterwards.
// Longer than a plugin without a host lives otherwise; if wanted, as long as a
// host takes that has to be restarted by hand.
absl::Duration TimeWithoutAHost() {
  const bool is_long = getenv("GOPLUGIN_LONG_TESTS") != nullptr;
  return is_long ? absl::Seconds(65) : absl::Seconds(4);
}

class ReattachAfterKillTest : public PeersTest {
 protected:
  ReattachAfterKillTest() : PeersTest({"host"}) {}

  // The only child of the process, once there is one; 0 without.
  static pid_t AwaitChildOf(pid_t pid) {
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    while (absl::Now() < give_up) {
      for (const auto& task : std::filesystem::directory_iterator(
               absl::StrCat("/proc/", pid, "/task"))) {
        pid_t child = 0;
        if (std::ifstream(task.path() / "children") >> child) return child;
      }
      absl::SleepFor(absl::Milliseconds(2));
    }
    return 0;
  }
  // The plugin's, once it serves there; "" without.
  std::string AwaitSocket() const {
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    while (absl::Now() < give_up) {
      for (const auto& file :
           std::filesystem::recursive_directory_iterator(temp())) {
        if (file.is_socket()) return file.path();
      }
      absl::SleepFor(absl::Milliseconds(2));
    }
    return "";
  }
};

TEST_F(ReattachAfterKillTest, APluginThatOutlivesItsHostServesTheNext) {
  const std::string after = ScratchPath("after");
  const pid_t host =
      Spawn({PeerPath("host"), "-settle", "1h", "-put", "old=value",
             RunfilePath("tests/conformance/serve_plugin"), "--outlives_host",
             "--after=" + after},
            data());
  // First: Go's runtime begins with a child of its own.
  AwaitSocket();
  const pid_t plugin = AwaitChildOf(host);
  ASSERT_GT(plugin, 0);
  // Until it has put its value: only another host could see that.
  absl::SleepFor(absl::Seconds(1));
  // Its name by now: it is made under another one.
  const std::string socket = AwaitSocket();
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  absl::SleepFor(TimeWithoutAHost());
  // The host asks for its end, and waits until there is no such process.
  int status = -1;
  std::thread reaper([plugin, &status] { waitpid(plugin, &status, 0); });
  const HostResult result = RunHost(
      {{PeerPath("host"), "-reattach",
        absl::StrCat(R"({"kv":{"Protocol":"grpc","ProtocolVersion":1,)",
                     R"("Pid":)", plugin, R"(,"Addr":{"Network":"unix",)",
                     R"("String":")", socket, R"("}}})"),
        "-get", "old", "-ping"},
       data(),
       {},
       ScratchPath("output")});
  if (result.exit_code != 0) kill(plugin, SIGKILL);
  reaper.join();
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(HostReport(result.output).Text("/steps/0/value"),
            "value from version 1");
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(after));
}

}  // namespace
}  // namespace goplugin::testing
