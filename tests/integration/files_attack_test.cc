// Plugins that would have the host do something to files that are not theirs,
// and file systems that don't do what is expected of them.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "tests/integration/fault.h"
#include "tests/integration/host_process.h"
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

namespace fs = std::filesystem;

constexpr std::uint32_t kUid = 65534;

// False for ordinary users, and in a sandbox with a single user.
bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 1, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kUid;
}

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

TEST_F(AnnouncedVictimTest, SocketOfAnotherPluginStays) {
  std::unique_ptr<Client> other = MustLaunch(ServerPlugin({}));
  ASSERT_NE(other, nullptr);
  Announce(absl::StrCat("1|9|unix|", other->endpoint().address, "|grpc|\\n"));
  EXPECT_TRUE(Answers(*other));
  struct stat info;
  EXPECT_EQ(stat(other->endpoint().address.c_str(), &info), 0);
}

// Its own, where it knows nothing of the directory that was made for it.
TEST_F(AnnouncedVictimTest, SocketOfThePluginsOwnGoes) {
  const auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  std::unique_ptr<Client> client =
      MustLaunch(ServerPlugin({"--ignore-socket-dir"}), options);
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Kill().ok());
  client.reset();
  EXPECT_TRUE(fs::is_empty(temp()));
}

TEST_F(AnnouncedVictimTest, WhatStaysIsNamedInTheLog) {
  const Victim victim(ScratchPath("victim"), Victim::Kind::kForsaken);
  const auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  ExpectError(
      Client::Launch(
          Misbehave({"say-exit",
                     absl::StrCat("1|9|unix|", victim.path(), "|grpc|\\n")}),
          options)
          .status(),
      {Reason::kAppVersion, "9", ""});
  EXPECT_TRUE(log->WaitForMessage(victim.path()));
}

class OddPlacesTest : public HarnessTest {};

TEST_F(OddPlacesTest, StderrFileThatIsAFifo) {
  const std::string fifo = ScratchPath("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  Command command = ServerPlugin({});
  command.lifetime = Command::Lifetime::kOutlivesHost;
  command.stderr_file = fifo;
  const absl::Time start = absl::Now();
  ExpectError(Client::Launch(command, PlainOptions()).status(),
              {Reason::kOptions, "FIFO", "stderr_file"});
  EXPECT_LT(absl::Now() - start, kGrace);
  // And the next one is in nobody's way.
  EXPECT_NE(MustLaunch(ServerPlugin({})), nullptr);
}

TEST_F(OddPlacesTest, TmpdirThatIsTooLong) {
  const std::string deep = ScratchPath(std::string(100, 'x'));
  ASSERT_EQ(mkdir(deep.c_str(), 0700), 0);
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TMPDIR", deep.c_str(), 1);
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(absl::StartsWith(client->endpoint().address, "/tmp/goplugin-"));
  EXPECT_TRUE(Answers(*client));
}

// /tmp is another's to write to, and nothing else is named.
std::vector<std::string> ReadOnly() {
  return {"unshare",
          "-m",
          "sh",
          "-c",
          "mount --make-rprivate / && mount --bind /tmp /tmp && "
          "mount -o remount,bind,ro /tmp && "
          "unset XDG_RUNTIME_DIR TMPDIR && exec \"$@\"",
          "sh"};
}

TEST_F(OddPlacesTest, NoPlaceAtAllAndAPluginThatUsesTcp) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may mount";
  HostProcess host({"wait", "--network=tcp"}, ReadOnly());
  EXPECT_GT(atoi(host.line().c_str()), 0);
}

TEST_F(OddPlacesTest, OnlyTheOperatorsDirectoryCanBeWrittenTo) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may mount";
  char place[] = "/var/tmp/gp-XXXXXX";
  ASSERT_NE(mkdtemp(place), nullptr);
  setenv("PLUGIN_UNIX_SOCKET_DIR", place, 1);
  {
    HostProcess host({"wait"}, ReadOnly());
    EXPECT_GT(atoi(host.line().c_str()), 0);
    EXPECT_FALSE(fs::is_empty(place));
  }
  unsetenv("PLUGIN_UNIX_SOCKET_DIR");
  fs::remove_all(place);
}

// What the kernel says of files that are root's.
struct Canary {
  std::string path;
  struct stat info = {};

  explicit Canary(std::string file) : path(std::move(file)) {
    EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  }
  // Every change of an inode changes its time.
  void ExpectUnchanged() const {
    struct stat now = {};
    ASSERT_EQ(lstat(path.c_str(), &now), 0) << path;
    EXPECT_EQ(now.st_ino, info.st_ino) << path;
    EXPECT_EQ(now.st_mode, info.st_mode) << path;
    EXPECT_EQ(now.st_uid, info.st_uid) << path;
    EXPECT_EQ(now.st_gid, info.st_gid) << path;
    EXPECT_EQ(now.st_nlink, info.st_nlink) << path;
    EXPECT_EQ(now.st_size, info.st_size) << path;
    EXPECT_EQ(now.st_ctim.tv_sec, info.st_ctim.tv_sec) << path;
    EXPECT_EQ(now.st_ctim.tv_nsec, info.st_ctim.tv_nsec) << path;
  }
};

class HostileHeirTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    // Where that user can look, and root alone may write.
    for (const std::string& path :
         {fs::path(temp()).parent_path().string(), temp(), ScratchPath("")}) {
      fs::permissions(path, fs::perms(0755));
    }
    target_ = ScratchPath("target");
    ASSERT_EQ(mkdir(target_.c_str(), 0755), 0);
    std::ofstream(target_ + "/secret") << "root's";
    ASSERT_EQ(chmod((target_ + "/secret").c_str(), 0600), 0);
    std::ofstream(target_ + "/public") << "root's, too";
    ASSERT_EQ(mkdir((target_ + "/inner").c_str(), 0700), 0);
    std::ofstream(target_ + "/inner/file") << "deeper";
    socket_ =
        std::make_unique<Victim>(target_ + "/socket", Victim::Kind::kListening);
    for (const char* name :
         {"", "/secret", "/public", "/inner", "/inner/file", "/socket"}) {
      canaries_.emplace_back(target_ + name);
    }
  }

  void TearDown() override {
    socket_.reset();
    HarnessTest::TearDown();
  }

  Command Hostile(int seconds) const {
    Command command{ScratchPath("hostile")};
    CopyProgram(RunfilePath("tests/plugins/hostile_heir"), command.path);
    command.args = {target_, std::to_string(seconds)};
    command.working_directory = "/";
    command.user = Command::User{kUid, kUid, {}};
    return command;
  }
  void ExpectNothingOfRootsHasChanged() const {
    for (const Canary& canary : canaries_) canary.ExpectUnchanged();
  }

 private:
  std::string target_;
  std::unique_ptr<Victim> socket_;
  std::vector<Canary> canaries_;
};

// Each launch fails in its own way, at its deadline at the latest: the socket
// is a directory, a link, nothing, or root's.
TEST_F(HostileHeirTest, NothingOfRootsChanges) {
  if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
  for (int i = 0; i < 8; ++i) {
    Command command = Hostile(1);
    if (i % 2 == 1) {
      command.lifetime = Command::Lifetime::kOutlivesHost;
      command.stderr_file = ScratchPath("stderr");
    }
    ClientOptions options = PlainOptions();
    options.start_timeout = absl::Milliseconds(700);
    const absl::Time start = absl::Now();
    EXPECT_FALSE(Client::Launch(command, options).ok());
    EXPECT_LT(absl::Now() - start, kGrace);
    ExpectNothingOfRootsHasChanged();
  }
  // Its children, which went on.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  // What they have left goes with the next launch.
  std::unique_ptr<Client> client = MustLaunch(ServerPlugin({}));
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(Eventually([this] {
    return std::distance(fs::directory_iterator(temp()),
                         fs::directory_iterator()) == 1;
  }));
  client.reset();
  ExpectNothingOfRootsHasChanged();
}

}  // namespace
}  // namespace goplugin::testing
