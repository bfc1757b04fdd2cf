#include "goplugin/internal/broker/broker_sockets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "goplugin/endpoint.h"
#include "goplugin/internal/net/open_connection.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::internal {
namespace {

using goplugin::testing::ExpectError;

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class BrokerSocketsTest : public goplugin::testing::HarnessTest {
 protected:
  SocketsPlan PlanIn(const std::string& path, mode_t mode = 0600) {
    SocketsPlan plan;
    plan.directory = [this, path, mode]() -> absl::StatusOr<BrokerDirectory> {
      ++asked_;
      absl::StatusOr<Directory> directory = Directory::Open(path);
      if (!directory.ok()) return directory.status();
      return BrokerDirectory{
          std::make_shared<const Directory>(*std::move(directory)), mode};
    };
    return plan;
  }

  int asked_ = 0;
};

TEST_F(BrokerSocketsTest, MakesNothingUntilItIsAsked) {
  BrokerSockets sockets(PlanIn(temp()));
  EXPECT_EQ(asked_, 0);
}

TEST_F(BrokerSocketsTest, SocketsDifferAndListenAndGo) {
  BrokerSockets sockets(PlanIn(temp()));
  auto one = sockets.Listen();
  auto two = sockets.Listen();
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  EXPECT_NE((*one)->path(), (*two)->path());
  EXPECT_EQ(asked_, 2) << "the directory may be another by then";
  EXPECT_TRUE(OpenConnection({Endpoint::Network::kUnix, (*one)->path()},
                             std::chrono::steady_clock::now())
                  .ok());
  one->reset();
  two->reset();
  EXPECT_TRUE(std::filesystem::is_empty(temp()));
}

TEST_F(BrokerSocketsTest, TheModeIsTheDirectorysWhateverTheUmask) {
  for (const mode_t mode : {mode_t{0600}, mode_t{0666}}) {
    const mode_t before = umask(0077);
    BrokerSockets sockets(PlanIn(temp(), mode));
    auto socket = sockets.Listen();
    EXPECT_EQ(umask(before), 0077u);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(ModeOf((*socket)->path()), mode);
  }
}

TEST_F(BrokerSocketsTest, NoneAfterItsEnd) {
  BrokerSockets sockets(PlanIn(temp()));
  sockets.Close();
  ExpectError(sockets.Listen().status(),
              {Reason::kShutDown, "the broker has ended", ""});
}

TEST_F(BrokerSocketsTest, SaysWhatIsWrongWithTheDirectory) {
  BrokerSockets nowhere{SocketsPlan()};
  ExpectError(nowhere.Listen().status(),
              {Reason::kTransport, "no directory for sockets", "this host"});
  const std::string deep = absl::StrCat(temp(), "/", std::string(100, 'd'));
  std::filesystem::create_directory(deep);
  {
    BrokerSockets too_long(PlanIn(deep));
    ExpectError(too_long.Listen().status(),
                {Reason::kTransport, "107 are possible", "shorter"});
  }
  std::filesystem::remove(deep);
}

}  // namespace
}  // namespace goplugin::internal
