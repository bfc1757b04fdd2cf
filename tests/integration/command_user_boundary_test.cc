// Command::user as a boundary: whatever a plugin of another user does by its
// line, its streams, its sockets and its files, nothing of root's changes.
// BOUNDARY_SECONDS is how long the races go on (10).

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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
#include "goplugin/broker.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/harness/expect_error.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/host_program.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kNobody = 65534;

// A socket of root's that anybody can connect to, and that tells what came.
class VictimSocket {
 public:
  explicit VictimSocket(std::string path)
      : path_(std::move(path)),
        listener_(
            socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(
        bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address),
        0);
    EXPECT_EQ(listen(listener_, 64), 0);
  }
  ~VictimSocket() { close(listener_); }
  VictimSocket(const VictimSocket&) = delete;
  VictimSocket& operator=(const VictimSocket&) = delete;

  const std::string& path() const { return path_; }

  // Bytes that were sent on all connections so far. One without any may have
  // been to see who is there.
  size_t BytesReceived() const {
    size_t bytes = 0;
    int fd = -1;
    while ((fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
      char buffer[4096];
      ssize_t count = 0;
      while ((count = read(fd, buffer, sizeof buffer)) > 0) {
        bytes += static_cast<size_t>(count);
      }
      close(fd);
    }
    return bytes;
  }

 private:
  const std::string path_;
  const int listener_;
};

std::string ContentOf(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A line for each file: all that must not change.
std::vector<std::string> Snapshot(const std::string& directory) {
  std::vector<std::string> lines;
  std::vector<fs::path> paths = {directory};
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    paths.push_back(entry.path());
  }
  for (const fs::path& path : paths) {
    struct stat facts = {};
    EXPECT_EQ(lstat(path.c_str(), &facts), 0);
    lines.push_back(absl::StrCat(
        path.string(), " mode ", facts.st_mode, " owner ", facts.st_uid, ":",
        facts.st_gid, " inode ", facts.st_ino, " links ", facts.st_nlink,
        " changed ", facts.st_ctim.tv_sec, ".", facts.st_ctim.tv_nsec, " ",
        S_ISREG(facts.st_mode) ? ContentOf(path) : ""));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

class CommandUserBoundaryTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    ASSERT_EQ(geteuid(), 0u) << "takes root";
    // Where the other user can reach what it has to.
    fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
    fs::permissions(temp(), fs::perms(0711));
    fs::permissions(ScratchPath(""), fs::perms(0755));
    victims_ = ScratchPath("victims");
    fs::create_directories(victims_ + "/directory");
    std::ofstream(victims_ + "/secret") << "of root's";
    std::ofstream(victims_ + "/public") << "for all to read";
    std::ofstream(victims_ + "/directory/inside") << "deep";
    fs::permissions(victims_ + "/secret", fs::perms(0600));
    fs::create_symlink("secret", victims_ + "/link");
    mkfifo((victims_ + "/fifo").c_str(), 0600);
    socket_ = std::make_unique<VictimSocket>(victims_ + "/socket");
    chmod(socket_->path().c_str(), 0666);
    before_ = Snapshot(victims_);
  }

  void TearDown() override {
    EXPECT_EQ(Snapshot(victims_), before_);
    EXPECT_EQ(socket_->BytesReceived(), 0u);
    socket_.reset();
    ReapOrphans();
    HarnessTest::TearDown();
  }

  // `path` of the workspace, where the other user can execute it.
  std::string Copy(const std::string& path) const {
    const std::string copy = ScratchPath(fs::path(path).filename());
    CopyProgram(RunfilePath(path), copy);
    return copy;
  }

  Command AsNobody(Command command) const {
    command.user = Command::User{kNobody, kNobody, {}};
    command.working_directory = "/";
    command.env.emplace_back("HOSTILE_VICTIMS", victims_);
    command.env.emplace_back("HOSTILE_STOP", ScratchPath("stop"));
    return command;
  }

  Command Script(const std::string& text) const {
    return AsNobody(Command{"/bin/sh", {"-c", text}});
  }

  // The launch fails, as the plugin's address is not the plugin's.
  void ExpectNotTalkedTo(const Command& command) const {
    ClientOptions options = ShortLadder();
    options.start_timeout = absl::Seconds(5);
    const auto client = Client::Launch(command, options);
    ASSERT_FALSE(client.ok());
    ExpectError(client.status(), {Reason::kTransport, "", ""});
  }

  std::string victims_;
  std::unique_ptr<VictimSocket> socket_;
  std::vector<std::string> before_;
};

TEST_F(CommandUserBoundaryTest, ALineThatNamesAnotherUsersSocket) {
  ExpectNotTalkedTo(Script(
      absl::StrCat("echo '1|1|unix|", socket_->path(), "|grpc|'; sleep 60")));
}

// It has ended: what it named is not its to have removed.
TEST_F(CommandUserBoundaryTest, ALineThatNamesAnotherUsersSocketAndTheEnd) {
  for (const char* version : {"1", "9"}) {
    const auto client =
        Client::Launch(Script(absl::StrCat("echo '1|", version, "|unix|",
                                           socket_->path(), "|grpc|'")),
                       ShortLadder());
    EXPECT_FALSE(client.ok());
  }
}

TEST_F(CommandUserBoundaryTest, ALinkInThePlaceOfItsOwnSocket) {
  ExpectNotTalkedTo(Script(absl::StrCat(
      "ln -s ", socket_->path(), " $PLUGIN_UNIX_SOCKET_DIR/s; ",
      "echo \"1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/s|grpc|\"; ", "sleep 60")));
}

TEST_F(CommandUserBoundaryTest, AnAnnouncementThatNamesAnotherUsersSocket) {
  Command command{Copy("tests/plugins/server_plugin")};
  command.args = {absl::StrCat("--broker=7:unix:", socket_->path())};
  const auto client = MustLaunch(AsNobody(command));
  ASSERT_NE(client, nullptr);
  ExpectError(client->broker().Dial(7).status(), {Reason::kTransport, "", ""});
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

class RacesTest : public CommandUserBoundaryTest,
                  public ::testing::WithParamInterface<Command::Lifetime> {
 protected:
  static absl::Duration Time() {
    const char* seconds = getenv("BOUNDARY_SECONDS");
    return absl::Seconds(seconds == nullptr ? 10 : atoi(seconds)) / 2;
  }

  // A life in which the host makes and removes what it can, beside the attack.
  // Calls may fail; they may not hang.
  void OneLife(const std::shared_ptr<LogSink>& log) const {
    Command command{Copy("tests/plugins/hostile")};
    command.args = {Copy("tests/plugins/server_plugin"), "--broker"};
    command.lifetime = GetParam();
    ClientOptions options = ShortLadder();
    options.log_sink = log;
    options.start_timeout = absl::Seconds(2);
    const absl::Time start = absl::Now();
    auto client = Client::Launch(AsNobody(command), options);
    if (client.ok()) {
      AdderService adder;
      for (std::uint32_t id = 1; id <= 100; ++id) {
        (*client)->broker().AcceptAndServe(id, {&adder}).status().IgnoreError();
      }
      (*client)->Shutdown().IgnoreError();
    }
    client = absl::UnknownError("over");
    EXPECT_LT(absl::Now() - start,
              absl::Seconds(2) + options.shutdown.Total() + kGrace);
  }
};

TEST_P(RacesTest, NothingOfRootsChanges) {
  const auto log = std::make_shared<RecordingLogSink>();
  const absl::Time end = absl::Now() + Time();
  int lives = 0;
  while (absl::Now() < end) {
    fs::remove(ScratchPath("stop"));
    OneLife(log);
    ++lives;
    EXPECT_EQ(Snapshot(victims_), before_) << "after " << lives << " lives";
    if (HasFailure()) break;
    // Those beside the dead plugin go before the next one comes.
    std::ofstream(ScratchPath("stop")) << "stop";
    ReapOrphans();
  }
  std::ofstream(ScratchPath("stop")) << "stop";
  for (const LogEntry& entry : log->entries()) {
    EXPECT_FALSE(absl::StrContains(entry.message, "BREACH")) << entry.message;
  }
}

INSTANTIATE_TEST_SUITE_P(, RacesTest,
                         ::testing::Values(Command::Lifetime::kDiesWithHost,
                                           Command::Lifetime::kOutlivesHost),
                         [](const auto& info) {
                           return info.param == Command::Lifetime::kDiesWithHost
                                      ? "DiesWithHost"
                                      : "OutlivesHost";
                         });

}  // namespace
}  // namespace goplugin::testing
