// Many plugins at once, and one after another.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"

namespace goplugin::testing {
namespace {

constexpr std::size_t kMany = 50;

using Launched = absl::StatusOr<std::unique_ptr<Client>>;

std::size_t CountSdkThreads() {
  std::size_t count = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (absl::StartsWith(name, "goplugin-")) ++count;
  }
  return count;
}

class ManyPluginsTest : public HarnessTest {};

TEST_F(ManyPluginsTest, FiftyAtOnceNeedNoMoreThreadsThanOne) {
  std::unique_ptr<Client> one = MustLaunch(ServerPlugin({}));
  ASSERT_NE(one, nullptr);
  const std::size_t threads = CountSdkThreads();
  EXPECT_GT(threads, 0u);

  std::vector<Mailbox<Launched>> launched(kMany);
  for (Mailbox<Launched>& box : launched) {
    Client::LaunchAsync(
        ServerPlugin({}), PlainOptions(),
        [&box](Launched client) { box.Put(std::move(client)); });
  }
  std::vector<std::unique_ptr<Client>> clients;
  for (Mailbox<Launched>& box : launched) {
    absl::optional<Launched> client = box.Take();
    ASSERT_TRUE(client.has_value());
    ASSERT_TRUE(client->ok()) << client->status();
    clients.push_back(**std::move(client));
  }
  for (const std::unique_ptr<Client>& client : clients) {
    EXPECT_TRUE(Answers(*client));
  }
  // More may have come while callbacks were stuck, and go again. On a busy
  // machine further spawners may stay: 8 at most.
  EXPECT_TRUE(Eventually([&] { return CountSdkThreads() <= threads + 7; }))
      << CountSdkThreads() << " threads, with one plugin " << threads;

  const absl::Status bye = Client::ShutdownAll(clients, absl::Seconds(30));
  EXPECT_TRUE(bye.ok()) << bye;
}

TEST_F(ManyPluginsTest, TheSameOneAfterAnother) {
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}), KvOptions());
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  }
}

// A plugin that comes back at the address of one that died.
TEST_F(ManyPluginsTest, TheSameAddressAgain) {
  const Command command =
      ServerPlugin({"--ignore-socket-dir", "--socket-name=same"});
  for (int i = 0; i < 5; ++i) {
    std::unique_ptr<Client> client = MustLaunch(command);
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(Answers(*client));
    EXPECT_TRUE(client->Kill().ok());
  }
}

}  // namespace
}  // namespace goplugin::testing
