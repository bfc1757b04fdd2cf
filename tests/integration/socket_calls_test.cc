// What host and plugin do to the file system for their sockets, as strace sees
// it: nothing by a path that others could lead elsewhere, gRPC included.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::testing {
namespace {

constexpr char kTraced[] = "GOPLUGIN_TEST_TRACED";

// Serves, dials and is dialled, as a host and as a plugin do.
void LiveWith(bool multiplex) {
  auto client = LaunchBrokerPlugin(
      {Endpoint::Network::kUnix, TlsMode::kAutoMtls, multiplex});
  ASSERT_NE(client, nullptr);
  AdderService adder;
  auto server = client->broker().AcceptAndServe(1, {&adder});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(PluginDials(*client, {1}, 20, 22).sums_size(), 1);
  auto channel = client->broker().Dial(PluginAccepts(*client, 1).ids(0));
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_EQ(Sum(*channel, 20, 22).value_or(0), 42);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

class SocketCallsTest : public HarnessTest,
                        public ::testing::WithParamInterface<bool> {};

std::string NameOf(const ::testing::TestParamInfo<bool>& info) {
  return info.param ? "Multiplexed" : "Plain";
}

// An absolute path in one of the SDK's directories. "/proc/self/fd" names what
// is open.
bool NamesAPath(const std::string& line) {
  return absl::StrContains(line, "\"/") && absl::StrContains(line, "goplugin-");
}

TEST_P(SocketCallsTest, NothingIsDoneByPath) {
  if (getenv(kTraced) != nullptr) return LiveWith(GetParam());
  const std::string trace = ScratchPath("trace");
  const std::string calls =
      "trace=bind,unlink,unlinkat,rename,renameat,renameat2,chown,lchown,"
      "fchownat,chmod,fchmodat,symlink,link";
  const std::string filter =
      absl::StrCat("--gtest_filter=*/", GetParam() ? "Multiplexed" : "Plain");
  const std::vector<std::string> command = {
      "strace", "-f", "-qq", "-s", "256", "-o", trace, "-e", calls, "-e",
      "signal=none", "-E", absl::StrCat(kTraced, "=1"),
      // Those are this process's.
      "-E", "TEST_PREMATURE_EXIT_FILE", "-E", "XML_OUTPUT_FILE",
      "/proc/self/exe", filter};
  // The program's own path: strace's /proc/self/exe is another.
  char self[4096] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof self - 1), 0);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(
        argument == "/proc/self/exe" ? self : argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 127) GTEST_SKIP() << "there is no strace";
  ASSERT_EQ(status, 0) << "under " << absl::StrJoin(command, " ");
  std::ifstream file(trace);
  int binds = 0;
  for (std::string line; std::getline(file, line);) {
    if (absl::StrContains(line, "/proc/self/fd/") &&
        absl::StrContains(line, "bind(")) {
      ++binds;
    }
    EXPECT_FALSE(NamesAPath(line)) << line;
  }
  EXPECT_GT(binds, 0) << "nothing was seen";
}

INSTANTIATE_TEST_SUITE_P(Lives, SocketCallsTest, ::testing::Bool(), NameOf);

}  // namespace
}  // namespace goplugin::testing
