#include "goplugin/internal/broker/connect.h"

#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/endpoint.h"
#include "goplugin/error.h"
#include "goplugin/internal/process/unique_fd.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"

namespace goplugin::internal {
namespace {

namespace fs = std::filesystem;
using goplugin::testing::ExpectError;

UniqueFd Listen(const std::string& path) {
  UniqueFd listener(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof address),
            0)
      << path;
  EXPECT_EQ(listen(listener.get(), 8), 0);
  return listener;
}

bool SomebodyCame(const UniqueFd& listener) {
  return UniqueFd(accept(listener.get(), nullptr, nullptr)).valid();
}

class ConnectBrokeredTest : public goplugin::testing::HarnessTest {
 protected:
  std::string At(const std::string& name) const {
    return absl::StrCat(temp(), "/", name);
  }
  BrokerTarget TargetAt(const std::string& path) const {
    BrokerTarget target;
    target.endpoint = {Endpoint::Network::kUnix, path};
    target.peers.user = geteuid();
    target.credentials = grpc::InsecureChannelCredentials();
    target.peer = "plugin";
    return target;
  }
  void TearDown() override {
    for (const auto& entry : fs::directory_iterator(temp())) {
      fs::remove(entry.path());
    }
    HarnessTest::TearDown();
  }
};

// The other side lets go of its socket, and puts a link to somebody else's in
// its place, once it was found to be its own.
TEST_F(ConnectBrokeredTest, AFailureIsNotLookedIntoElsewhere) {
  const std::string announced = At("announced");
  const UniqueFd others = Listen(At("others"));
  Listen(announced).reset();
  BrokerTarget target = TargetAt(announced);
  target.aside = [&](absl::AnyInvocable<void()> look) {
    look();
    fs::remove(announced);
    fs::create_symlink(At("others"), announced);
  };
  ExpectError(ConnectBrokered(target, absl::Seconds(10)).status(),
              {Reason::kConnect, "Connection refused", "must serve"});
  EXPECT_FALSE(SomebodyCame(others));
}

}  // namespace
}  // namespace goplugin::internal
