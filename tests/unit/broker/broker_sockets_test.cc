#include "goplugin/internal/broker/broker_sockets.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::internal {
namespace {

using goplugin::testing::ExpectError;

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

class BrokerSocketsTest : public goplugin::testing::HarnessTest {};

TEST_F(BrokerSocketsTest, MakesNothingUntilItIsAsked) {
  BrokerSockets sockets(SocketsPlan{temp()});
  EXPECT_TRUE(std::filesystem::is_empty(temp()));
}

TEST_F(BrokerSocketsTest, PathsDifferInOnePrivateDirectory) {
  BrokerSockets sockets(SocketsPlan{temp()});
  const auto one = sockets.NextPath();
  const auto two = sockets.NextPath();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(*one, *two);
  const std::string directory = std::filesystem::path(*one).parent_path();
  EXPECT_EQ(std::filesystem::path(*two).parent_path(), directory);
  EXPECT_EQ(ModeOf(directory), 0700u);
}

TEST_F(BrokerSocketsTest, WithoutADirectoryInTmpdir) {
  BrokerSockets sockets{SocketsPlan()};
  const auto path = sockets.NextPath();
  ASSERT_TRUE(path.ok());
  EXPECT_TRUE(absl::StartsWith(*path, temp() + "/goplugin-broker")) << *path;
}

TEST_F(BrokerSocketsTest, AccessAsForTheMainSocket) {
  for (const bool for_group : {false, true}) {
    BrokerSockets sockets({temp(), for_group, /*for_owner=*/true});
    const auto path = sockets.NextPath();
    ASSERT_TRUE(path.ok()) << path.status().message();
    std::ofstream(*path) << "";
    ASSERT_TRUE(sockets.RestrictAccess(*path).ok());
    EXPECT_EQ(ModeOf(*path), for_group ? 0660u : 0600u);
    EXPECT_EQ(ModeOf(std::filesystem::path(*path).parent_path()), 0711u);
  }
}

TEST_F(BrokerSocketsTest, TheGroupMayEnterAndNobodyElse) {
  BrokerSockets sockets({temp(), /*for_group=*/true});
  const auto path = sockets.NextPath();
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_EQ(ModeOf(std::filesystem::path(*path).parent_path()), 0710u);
}

TEST_F(BrokerSocketsTest, RemoveTakesTheSocketsToo) {
  BrokerSockets sockets(SocketsPlan{temp()});
  const auto path = sockets.NextPath();
  ASSERT_TRUE(path.ok());
  std::ofstream(*path) << "";
  sockets.Remove();
  EXPECT_TRUE(std::filesystem::is_empty(temp()));
  ExpectError(sockets.NextPath().status(),
              {Reason::kShutDown, "the broker has ended", ""});
}

TEST_F(BrokerSocketsTest, SaysWhatIsWrongWithTheDirectory) {
  BrokerSockets missing({temp() + "/none", false});
  ExpectError(missing.NextPath().status(),
              {Reason::kTransport, "No such file", "TMPDIR"});
  const std::string deep = absl::StrCat(temp(), "/", std::string(100, 'd'));
  std::filesystem::create_directory(deep);
  {
    BrokerSockets too_long(SocketsPlan{deep});
    ExpectError(too_long.NextPath().status(),
                {Reason::kTransport, "107 are possible", "shorter"});
  }
  std::filesystem::remove(deep);
}

}  // namespace
}  // namespace goplugin::internal
