// Plugins and neighbours that point the host at sockets which are none of
// theirs, or get in the way of its own. Needs root: the others are another
// user.

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/broker.h"
#include "tests/integration/fault.h"
#include "tests/integration/live.h"
#include "tests/support/broker/adder.h"
#include "tests/support/broker/broker_client.h"
#include "tests/support/stuck/dead_file_system.h"

namespace goplugin::testing {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

// False for ordinary users, and in a sandbox with a single user.
bool MayChangeUsers() {
  std::ifstream map("/proc/self/uid_map");
  uint64_t inside = 0;
  uint64_t outside = 0;
  uint64_t count = 0;
  map >> inside >> outside >> count;
  return geteuid() == 0 && inside == 0 && count > kNobody;
}

// A process of user nobody that does `body`, and ends with its result.
class Neighbour {
 public:
  explicit Neighbour(const std::function<int()>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    if (setgroups(0, nullptr) != 0 ||
        setresgid(kNobody, kNobody, kNobody) != 0 ||
        setresuid(kNobody, kNobody, kNobody) != 0) {
      _exit(99);
    }
    _exit(body());
  }
  ~Neighbour() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  int Result() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

// Somebody's server, and what is sent to it.
class Victim {
 public:
  explicit Victim(std::string path)
      : path_(std::move(path)), listener_(ListenAtPath(path_)) {
    EXPECT_GE(listener_, 0) << path_;
    chmod(path_.c_str(), 0600);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Victim() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  const std::string& path() const { return path_; }
  size_t bytes() const { return bytes_; }

 private:
  void Serve() {
    while (true) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      char buffer[1024];
      for (ssize_t count = 0;
           (count = recv(connection, buffer, sizeof buffer, 0)) > 0;) {
        bytes_ += static_cast<size_t>(count);
      }
      close(connection);
    }
  }

  const std::string path_;
  const int listener_;
  std::atomic<size_t> bytes_{0};
  std::thread thread_;
};

class HostileSocketsTest : public HarnessTest {
 protected:
  void SetUp() override {
    HarnessTest::SetUp();
    if (!MayChangeUsers()) GTEST_SKIP() << "only root may change users";
    // Where that user can reach it.
    fs::permissions(fs::path(temp()).parent_path(), fs::perms(0755));
    fs::permissions(temp(), fs::perms(0711));
  }

  // The command with a copy of its program that everybody can reach.
  Command AsNobody(Command command) {
    const std::string copy = ScratchPath("plugin");
    CopyProgram(command.path, copy);
    command.path = copy;
    command.working_directory = "/";
    command.user = Command::User{kNobody, kNobody, {}};
    return command;
  }

  static ClientOptions Insecure() {
    ClientOptions options = KvOptions();
    options.tls.mode = TlsMode::kInsecure;
    return options;
  }

  static Command Says(const std::string& line) {
    return Misbehave({"say", line + "\\n"});
  }

  // The host does not go where the plugin's line leads.
  static void ExpectRefusal(const Command& command,
                            const ClientOptions& options,
                            const ExpectedError& expected) {
    const absl::Time start = absl::Now();
    auto client = Client::Launch(command, options);
    ExpectError(client.status(), expected);
    EXPECT_LT(absl::Now() - start, options.start_timeout + kGrace);
  }
};

const ExpectedError& SomebodyElses() {
  static const auto* const error =
      new ExpectedError{Reason::kTransport, "a process of user 0 listens there",
                        "nothing was sent there"};
  return *error;
}

TEST_F(HostileSocketsTest, ALineThatNamesRootsSocket) {
  const Victim victim(ScratchPath("docker.sock"));
  ExpectRefusal(
      AsNobody(Says(absl::StrCat("1|1|unix|", victim.path(), "|grpc|"))),
      Insecure(), SomebodyElses());
  EXPECT_EQ(victim.bytes(), 0u);
}

TEST_F(HostileSocketsTest, ALinkInThePlaceOfThePluginsSocket) {
  const Victim victim(ScratchPath("docker.sock"));
  fs::create_symlink(victim.path(), ScratchPath("plugin.sock"));
  ExpectRefusal(AsNobody(Says(absl::StrCat(
                    "1|1|unix|", ScratchPath("plugin.sock"), "|grpc|"))),
                Insecure(), SomebodyElses());
  EXPECT_EQ(victim.bytes(), 0u);
}

TEST_F(HostileSocketsTest, AMultiplexingLineThatNamesRootsSocket) {
  const Victim victim(ScratchPath("docker.sock"));
  ClientOptions options = Insecure();
  options.multiplex = Multiplex::kIfOffered;
  ExpectRefusal(
      AsNobody(Says(absl::StrCat("1|1|unix|", victim.path(), "|grpc||true"))),
      options, SomebodyElses());
  EXPECT_EQ(victim.bytes(), 0u);
}

TEST_F(HostileSocketsTest, AnAnnouncementOfRootsSocket) {
  const Victim victim(ScratchPath("docker.sock"));
  auto client = MustLaunch(
      AsNobody(ServerPlugin({absl::StrCat("--broker=1:unix:", victim.path())})),
      Insecure());
  ASSERT_NE(client, nullptr);
  ExpectError(client->broker().Dial(1).status(), SomebodyElses());
  EXPECT_EQ(victim.bytes(), 0u);
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

TEST_F(HostileSocketsTest, AnAnnouncementOnADeadFileSystem) {
  const DeadFileSystem dead(ScratchPath("dead"));
  auto client = MustLaunch(
      ServerPlugin({absl::StrCat("--broker=1:unix:", dead.File("socket"))}),
      Insecure());
  ASSERT_NE(client, nullptr);
  const absl::Time start = absl::Now();
  ExpectError(
      client->broker().Dial(1, Within(absl::Milliseconds(300))).status(),
      {Reason::kConnect, "did not come back", "DialOptions::timeout"});
  EXPECT_LT(absl::Now() - start, kGrace);
  EXPECT_TRUE(Answers(*client));
  EXPECT_EQ(client->Shutdown(), absl::OkStatus());
}

// The other way round: somebody has taken the place of a plugin of the host's
// own user, as in a TMPDIR for all.
TEST_F(HostileSocketsTest, ALineThatNamesASocketOfAnotherUser) {
  fs::permissions(ScratchPath(""), fs::perms(0777));
  const std::string path = ScratchPath("squatted");
  Neighbour squatter([&] {
    if (ListenAtPath(path) < 0) return 1;
    pause();
    return 0;
  });
  while (!fs::exists(path)) absl::SleepFor(absl::Milliseconds(1));
  ExpectRefusal(Says(absl::StrCat("1|1|unix|", path, "|grpc|")), Insecure(),
                {Reason::kTransport, "a process of user 65534 listens there",
                 "nothing was sent there"});
}

TEST_F(HostileSocketsTest, ALineWithARelativePath) {
  ExpectRefusal(Says("1|1|unix|plugin.sock|grpc|"), Insecure(),
                {Reason::kTransport, "relative to the plugin's working",
                 "absolute path"});
}

TEST_F(HostileSocketsTest, ALineThatNamesAnotherMachine) {
  ExpectRefusal(
      Says("1|1|tcp|192.0.2.1:1234|grpc|"), Insecure(),
      {Reason::kTransport, "not a loopback address", "allow_remote_tcp"});
  ExpectRefusal(
      Says("1|1|tcp|plugin.example:1234|grpc|"), Insecure(),
      {Reason::kTransport, "not a loopback address", "allow_remote_tcp"});
}

TEST_F(HostileSocketsTest, AnotherMachineIfTheHostSaysSo) {
  ClientOptions options = Insecure();
  options.allow_remote_tcp = true;
  options.start_timeout = absl::Milliseconds(300);
  ExpectRefusal(Says("1|1|tcp|192.0.2.1:1234|grpc|"), options,
                {Reason::kConnect, "192.0.2.1", ""});
}

// ---- Swapping what the host makes
// --------------------------------------------

bool IsRoots(const std::string& path, mode_t type) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 && info.st_uid == 0 &&
         (info.st_mode & S_IFMT) == type;
}

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(stream);
  return names;
}

// What a plugin's user can do in the lent directory, for ever: puts directories
// of its own in the place of the host's, and links to `victim` in that of the
// host's sockets.
int SwapForEver(const std::string& lent, const std::string& victim) {
  for (int round = 0;; ++round) {
    for (const std::string& name : Names(lent)) {
      const std::string path = absl::StrCat(lent, "/", name);
      if (IsRoots(path, S_IFDIR)) {
        rename(path.c_str(), absl::StrCat(lent, "/x", round).c_str());
        mkdir(path.c_str(), 0777);
        chmod(path.c_str(), 0777);
      }
      for (const std::string& inner : Names(path)) {
        const std::string socket = absl::StrCat(path, "/", inner);
        if (!IsRoots(socket, S_IFSOCK)) continue;
        rename(socket.c_str(), absl::StrCat(lent, "/y", round, inner).c_str());
        if (symlink(victim.c_str(), socket.c_str()) != 0) return 1;
      }
    }
  }
}

TEST_F(HostileSocketsTest, ABrokersSocketIsSwappedForALink) {
  const std::string victim = ScratchPath("shadow");
  std::ofstream(victim) << "root's\n";
  chmod(victim.c_str(), 0600);
  Command command{RunfilePath("tests/support/broker/broker_plugin")};
  std::unique_ptr<Client> client = MustLaunch(AsNobody(command), Insecure());
  ASSERT_NE(client, nullptr);
  const std::string lent =
      fs::path(client->endpoint().address).parent_path().string();
  Neighbour attacker([&] { return SwapForEver(lent, victim); });
  AdderService adder;
  for (std::uint32_t id = 1; id <= 40; ++id) {
    // It may fail, or be in vain; it does not harm others.
    auto server = client->broker().AcceptAndServe(id, {&adder});
  }
  struct stat info = {};
  ASSERT_EQ(lstat(victim.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
  EXPECT_EQ(info.st_gid, 0u);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

// The plugin's socket and another's change places all the time.
TEST_F(HostileSocketsTest, AReattachUsesTheSocketThatItProved) {
  auto first = MustLaunch(ServerPlugin({}), Insecure());
  ASSERT_NE(first, nullptr);
  auto config = first->reattach_config();
  ASSERT_TRUE(config.ok()) << config.status();
  config->test = true;
  const std::string place = config->endpoint.address;
  const Victim victim(absl::StrCat(place, ".victim"));
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      renameat2(AT_FDCWD, place.c_str(), AT_FDCWD, victim.path().c_str(),
                RENAME_EXCHANGE);
    }
  });
  ClientOptions options = Insecure();
  options.start_timeout = absl::Seconds(1);
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    found += Client::Reattach(*config, options).ok() ? 1 : 0;
  }
  stop = true;
  swapper.join();
  EXPECT_GT(found, 0);
  EXPECT_EQ(victim.bytes(), 0u);
}

// ---- Others at the host's sockets -------------------------------------------

// What /proc/net/unix calls this process's sockets.
std::set<std::string> OwnSockets() {
  std::set<std::string> numbers;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone);
    absl::string_view number = target;
    if (absl::ConsumePrefix(&number, "socket:[") &&
        absl::ConsumeSuffix(&number, "]")) {
      numbers.emplace(number);
    }
  }
  return numbers;
}

// How many of the SDK's sockets, as /proc/net/unix has them, take a connection:
// those below `directory`, and those of `own`. Tests beside this one have some,
// too.
int CountOpenSockets(const std::string& directory,
                     const std::set<std::string>& own) {
  std::ifstream table("/proc/net/unix");
  int open = 0;
  for (std::string line; std::getline(table, line);) {
    const size_t name = line.find_last_of(" ");
    std::string path = line.substr(name + 1);
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    const bool is_own = fields.size() > 6 && own.count(std::string(fields[6]));
    if (!is_own && !absl::StartsWith(path, directory)) continue;
    sockaddr_un address = AddressOf(path);
    socklen_t size = sizeof address;
    if (path[0] == '@') {
      address.sun_path[0] = '\0';
      size =
          static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
    const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, reinterpret_cast<sockaddr*>(&address), size) == 0) {
      ++open;
    }
    close(connection);
  }
  return open;
}

TEST_F(HostileSocketsTest, NobodyElseGetsToTheHostsSockets) {
  for (const bool multiplex : {false, true}) {
    auto client = LaunchBrokerPlugin(
        {Endpoint::Network::kUnix, TlsMode::kInsecure, multiplex});
    ASSERT_NE(client, nullptr);
    AdderService adder;
    auto server = client->broker().AcceptAndServe(1, {&adder});
    ASSERT_TRUE(server.ok()) << server.status();
    auto dialled = client->broker().Dial(PluginAccepts(*client, 1).ids(0));
    ASSERT_TRUE(dialled.ok()) << dialled.status();
    const std::set<std::string> own = OwnSockets();
    Neighbour stranger([&] { return CountOpenSockets(temp(), own); });
    EXPECT_EQ(stranger.Result(), 0) << (multiplex ? "multiplexed" : "plain");
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
  }
}

// As sudo and gosu do: the kernel has taken the death signal away.
TEST_F(HostileSocketsTest, APluginThatHasChangedItsUserIsTold) {
  if (!MayChangeUsers()) GTEST_SKIP() << "needs root and other users";
  char pattern[] = "/tmp/raisedXXXXXX";
  ASSERT_NE(mkdtemp(pattern), nullptr);
  const std::string directory = pattern;
  const std::string plugin = directory + "/plugin";
  CopyProgram(RunfilePath("tests/plugins/server_plugin"), plugin);
  fs::permissions(directory, fs::perms(0755));
  Command command{"/usr/bin/setpriv"};
  command.args = {"--reuid=65534", "--regid=65534", "--clear-groups", plugin,
                  "--network=tcp"};
  const auto log = std::make_shared<RecordingLogSink>();
  ClientOptions options = PlainOptions();
  options.log_sink = log;
  std::unique_ptr<Client> client = MustLaunch(command, options);
  if (client != nullptr) {
    EXPECT_TRUE(log->WaitForMessage("does not die with this host"));
    EXPECT_TRUE(log->WaitForMessage("it runs as user 65534"));
    EXPECT_TRUE(client->Shutdown().ok());
  }
  fs::remove_all(directory);
}

}  // namespace
}  // namespace goplugin::testing
