// Everything slow and stuck at the same time, each from a client of its own,
// and one that behaves beside them: it takes no more than twice as long as in
// the same run alone, and 100 ms.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "gtest/gtest.h"
#include "tests/integration/live.h"
#include "tests/support/harness/harness_test.h"
#include "tests/support/harness/plugins.h"
#include "tests/support/harness/recording_sinks.h"
#include "tests/support/stalled_exec/stalled_exec.h"
#include "tests/support/stuck/dead_file_system.h"
#include "tests/support/stuck/dead_name_service.h"
#include "tests/support/stuck/gate.h"
#include "tests/support/stuck/launching.h"
#include "tests/support/stuck/stuck_runner.h"
#include "tests/support/stuck/stuck_sinks.h"

namespace goplugin::testing {
namespace {

// Each holds up a thread of the pool for good.
constexpr int kDeadFileSystems = 40;
constexpr int kStalledExecs = 3;
constexpr int kLitter = 100000;
constexpr int kTries = 3;
// Of those that get stuck: long enough to be measured beside.
constexpr absl::Duration kStart = absl::Seconds(5);

// How long each part of a client's life takes.
struct Pace {
  absl::Duration launch = absl::InfiniteDuration();
  absl::Duration ping = absl::InfiniteDuration();
  absl::Duration log_line = absl::InfiniteDuration();
  absl::Duration shutdown = absl::InfiniteDuration();
};

Pace Best(const Pace& a, const Pace& b) {
  return {std::min(a.launch, b.launch), std::min(a.ping, b.ping),
          std::min(a.log_line, b.log_line), std::min(a.shutdown, b.shutdown)};
}

void ExpectPace(const Pace& beside, const Pace& alone) {
  const auto limit = [](absl::Duration time) {
    return 2 * time + absl::Milliseconds(100);
  };
  EXPECT_LE(beside.launch, limit(alone.launch)) << "alone: " << alone.launch;
  EXPECT_LE(beside.ping, limit(alone.ping)) << "alone: " << alone.ping;
  EXPECT_LE(beside.log_line, limit(alone.log_line))
      << "alone: " << alone.log_line;
  EXPECT_LE(beside.shutdown, limit(alone.shutdown))
      << "alone: " << alone.shutdown;
}

// The one that behaves.
struct Neighbour {
  std::string name;
  Multiplex multiplex;
  std::string program;
  // A KV key at which it logs this.
  std::string key;
  std::string entry;
};

void PrintTo(const Neighbour& neighbour, std::ostream* out) {
  *out << neighbour.name;
}

// The time since the last call.
class Laps {
 public:
  absl::Duration Next() {
    const absl::Time now = absl::Now();
    return now - std::exchange(last_, now);
  }

 private:
  absl::Time last_ = absl::Now();
};

class CrowdTest : public HarnessTest,
                  public ::testing::WithParamInterface<Neighbour> {
 protected:
  void TearDown() override {
    gate_->Open();
    HarnessTest::TearDown();
  }

  static Pace OneLife() {
    auto log = std::make_shared<RecordingLogSink>();
    ClientOptions options = KvOptions();
    options.log_sink = log;
    options.multiplex = GetParam().multiplex;
    Pace pace;
    Laps laps;
    Launching launching(Command{RunfilePath(GetParam().program)}, options);
    const std::unique_ptr<Client> client = launching.Take();
    if (client == nullptr) return pace;
    pace.launch = laps.Next();
    EXPECT_EQ(client->Ping(kPatience), absl::OkStatus());
    pace.ping = laps.Next();
    Get(*client, GetParam().key);
    EXPECT_TRUE(log->WaitForMessage(GetParam().entry));
    pace.log_line = laps.Next();
    EXPECT_EQ(client->Shutdown(), absl::OkStatus());
    pace.shutdown = laps.Next();
    return pace;
  }

  static Pace BestLife() {
    Pace best;
    for (int i = 0; i < kTries; ++i) best = Best(best, OneLife());
    return best;
  }

  // Gives the client's directory more files than can be removed in a moment.
  static void Litter(const Client& client) {
    const std::string directory =
        std::filesystem::path(client.endpoint().address).parent_path();
    const int parent = open(directory.c_str(), O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < kLitter; ++i) {
      EXPECT_EQ(mknodat(parent, absl::StrCat("litter", i).c_str(), S_IFREG, 0),
                0);
    }
    close(parent);
  }

  // Those that do not become ready end by their own deadline.
  void Stick(Command command, ClientOptions options) {
    stuck_.push_back(
        std::make_unique<Launching>(std::move(command), std::move(options)));
  }

  // One whose sink does not come back. Ready, and so before those that are not.
  std::unique_ptr<Client> LaunchDeaf() const {
    ClientOptions options = Options();
    options.log_sink = std::make_shared<StuckLogSink>(gate_);
    // It ends by itself, among all that.
    options.shutdown.exit_timeout = absl::Seconds(3);
    return MustLaunch(ServerPlugin({"--stderr=hello\n"}), options);
  }

  void StickRunnerAndInterceptor() {
    stuck_.push_back(std::make_unique<Launching>(
        std::make_shared<StuckRunner>(ServerPlugin({}),
                                      StuckRunner::Gates{gate_}),
        Options()));
    ClientOptions intercepted = Options();
    intercepted.interceptors = StuckInterceptors(gate_);
    Stick(ServerPlugin({}), intercepted);
  }

  void StickFiles() {
    Command piped = ServerPlugin({});
    piped.lifetime = Command::Lifetime::kOutlivesHost;
    piped.stderr_file = ScratchPath("pipe");
    ASSERT_EQ(mkfifo(piped.stderr_file.c_str(), 0600), 0);
    Stick(piped, Options());
    for (int i = 0; i < kDeadFileSystems; ++i) {
      dead_.push_back(std::make_unique<DeadFileSystem>(
          ScratchPath(absl::StrCat("dead", i))));
      Command command{dead_.back()->File("plugin")};
      command.secure_config.emplace();
      command.secure_config->checksum = std::string(32, 'x');
      Stick(command, Options());
    }
    ClientOptions grouped = Options();
    grouped.socket_group = "nobody-knows-it";
    Stick(ServerPlugin({}), grouped);
  }

  void StickExecs() {
    for (int i = 0; i < kStalledExecs; ++i) {
      const std::string program = ScratchPath(absl::StrCat("stalls", i));
      CopyProgram(RunfilePath("tests/plugins/misbehave"), program);
      stalled_.push_back(std::make_unique<StalledExec>(program));
      Stick(Command{program, {"silent"}}, Options());
    }
  }

  static ClientOptions Options() {
    ClientOptions options = ShortLadder();
    options.start_timeout = kStart;
    return options;
  }

  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::vector<std::unique_ptr<DeadFileSystem>> dead_;
  std::vector<std::unique_ptr<StalledExec>> stalled_;
  std::vector<std::unique_ptr<Launching>> stuck_;
};

TEST_P(CrowdTest, DoesNotSlowDownOneThatBehaves) {
  const Pace alone = BestLife();
  // First: what is mounted afterwards is seen by these threads only.
  DeadNameService names(ScratchPath("groups"));
  const std::unique_ptr<Client> litterer = MustLaunch(ServerPlugin({}));
  const std::unique_ptr<Client> deaf = LaunchDeaf();
  ASSERT_NE(litterer, nullptr);
  ASSERT_NE(deaf, nullptr);
  Litter(*litterer);
  StickRunnerAndInterceptor();
  StickExecs();
  StickFiles();
  Mailbox<absl::Status> removed;
  litterer->ShutdownAsync(
      [&removed](absl::Status status) { removed.Put(std::move(status)); });
  ExpectPace(BestLife(), alone);

  for (const auto& launching : stuck_) launching->ExpectAnyErrorBy(kStart);
  const absl::Time start = absl::Now();
  EXPECT_EQ(deaf->Shutdown(), absl::OkStatus());
  EXPECT_LT(absl::Now() - start,
            absl::Seconds(3) + Options().shutdown.Total() + kGrace);
  EXPECT_TRUE(removed.Take().has_value());
  // Lets go what is held up for good.
  names.Fail();
  dead_.clear();
  stalled_.clear();
  close(open(ScratchPath("pipe").c_str(), O_RDWR | O_NONBLOCK));
  gate_->Open();
}

INSTANTIATE_TEST_SUITE_P(
    , CrowdTest,
    ::testing::Values(Neighbour{"Plain", Multiplex::kNever,
                                "tests/plugins/server_plugin",
                                "!raw-stderr:tick", "tick"},
                      Neighbour{"Multiplexed", Multiplex::kRequire,
                                "examples/plugin_cpp/plugin_cpp", "tick",
                                "no such key"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace goplugin::testing
