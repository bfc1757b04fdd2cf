// Plugins that would have the host do something to files that are not theirs,
// and file systems that don't do what is expected of them.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/fault.h"
#include "tests/integration/live.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

// A socket of somebody else's.
class Victim {
 public:
  enum class Kind { kListening, kForsaken };

  Victim(std::string path, Kind kind) : path_(std::move(path)) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<struct sockaddr*>(&address),
                   sizeof(address)),
              0);
    EXPECT_EQ(chmod(path_.c_str(), 0600), 0);
    if (kind == Kind::kListening) {
      EXPECT_EQ(listen(fd_, 10), 0);
    } else {
      close(fd_);
      fd_ = -1;
    }
  }
  ~Victim() {
    if (fd_ >= 0) close(fd_);
    unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  bool IsThere() const {
    struct stat info;
    return lstat(path_.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

class AnnouncedVictimTest : public HarnessTest {
 protected:
  // Launches a program that prints the line and ends, and lets the host end.
  void Announce(const std::string& line) {
    ClientOptions options = KvOptions();
    options.tls.mode = TlsMode::kInsecure;
    options.start_timeout = absl::Seconds(2);
    EXPECT_FALSE(
        Client::Launch(Misbehave({"say-exit", line}), std::move(options)).ok());
  }
};

TEST_F(AnnouncedVictimTest, ListeningSocketStays) {
  const Victim victim(ScratchPath("victim"), Victim::Kind::kListening);
  Announce(absl::StrCat("1|1|unix|", victim.path(), "|grpc|\\n"));
  EXPECT_TRUE(victim.IsThere());
}

TEST_F(AnnouncedVictimTest, ListeningSocketOfARefusedLineStays) {
  const Victim victim(ScratchPath("victim"), Victim::Kind::kListening);
  Announce(absl::StrCat("1|9|unix|", victim.path(), "|grpc|\\n"));
  EXPECT_TRUE(victim.IsThere());
}

TEST_F(AnnouncedVictimTest, SocketThatNobodyListensAtStays) {
  const Victim victim(ScratchPath("victim"), Victim::Kind::kForsaken);
  Announce(absl::StrCat("1|1|unix|", victim.path(), "|grpc|\\n"));
  EXPECT_TRUE(victim.IsThere());
  Announce(absl::StrCat("1|9|unix|", victim.path(), "|grpc|\\n"));
  EXPECT_TRUE(victim.IsThere());
}

}  // namespace
}  // namespace goplugin::testing
