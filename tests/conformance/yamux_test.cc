// The bare session with the Go library, in both roles.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/frame.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/conformance/peers.h"
#include "tests/conformance/yamux_driver.h"

namespace goplugin::testing {
namespace {

using internal::FrameType;
using internal::GoAwayCode;
using internal::YamuxRole;
using internal::YamuxSession;
using Policy = YamuxDriver::Policy;
using StreamId = YamuxDriver::StreamId;

constexpr size_t kWindow = YamuxSession::kWindow;
// What the peer's exit code tells.
constexpr int kHungUp = 0;
constexpr int kSessionError = 3;
constexpr int kDied = 7;

// Pieces of one random text, each time another one.
std::string RandomBytes(size_t size) {
  static std::minstd_rand random(1);
  static const std::string* const kText = [] {
    auto* text = new std::string(65521, '\0');
    for (char& byte : *text) byte = static_cast<char>(random());
    return text;
  }();
  std::string bytes;
  while (bytes.size() < size) {
    bytes.append(*kText, random() % kText->size(), size - bytes.size());
  }
  return bytes;
}

// The parameter: this side's role.
class YamuxConformanceTest : public PeersTest,
                             public ::testing::WithParamInterface<YamuxRole> {
 protected:
  YamuxConformanceTest() : PeersTest({"yamux"}) {}

  void SetUp() override {
    PeersTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    int sockets[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    driver_ = std::make_unique<YamuxDriver>(sockets[0], GetParam());
    Start(sockets[1]);
    close(sockets[1]);
  }

  void TearDown() override {
    if (driver_ != nullptr) {
      driver_->Finish();
      EXPECT_EQ(ExitCode(), kHungUp);
    }
    PeersTest::TearDown();
  }

  YamuxDriver& driver() { return *driver_; }
  YamuxSession& session() { return driver_->session(); }

  // Hangs up; the peer's exit code.
  int EndOfPeer() {
    driver_->Hangup();
    return ExitCode();
  }
  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFEXITED(status)) << status;
    return WEXITSTATUS(status);
  }

  // What comes back of it is what was sent.
  StreamId OpenEcho(const std::string& bytes) {
    return driver().Open(absl::StrCat("echo\n", bytes), true);
  }
  void ExpectEcho(StreamId id, const std::string& bytes) {
    EXPECT_TRUE(driver().RunUntil([&] { return driver().finished(id); }))
        << driver().stream(id).received.size() << " of " << bytes.size()
        << " bytes; " << driver().status();
    EXPECT_TRUE(driver().stream(id).received == bytes);
  }
  // Something that needs the session and the peer to be well.
  void ExpectWell() {
    const std::string bytes = RandomBytes(2 * kWindow);
    ExpectEcho(OpenEcho(bytes), bytes);
  }
  // The peer has one stream in the end, which asks.
  void ExpectNoStreamsLeft() {
    std::string count;
    for (int i = 0; i < 1000 && count != "1"; ++i)
      count = driver().Ask("count");
    EXPECT_EQ(count, "1");
    EXPECT_EQ(session().stream_count(), 0u);
  }

 private:
  void Start(int socket) {
    const std::string path = PeerPath("yamux");
    std::string name = "yamux";
    std::string flag =
        GetParam() == YamuxRole::kClient ? "-client=false" : "-client";
    std::array<char*, 3> argv = {&name[0], &flag[0], nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, 3);
    EXPECT_EQ(posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(),
                          environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
  }

  pid_t pid_ = -1;
  std::unique_ptr<YamuxDriver> driver_;
};

TEST_P(YamuxConformanceTest, EchoOfRandomSizesOnManyStreams) {
  std::vector<StreamId> ids;
  std::vector<std::string> sent;
  for (size_t size = 1; size < 2000000; size += size / 3 + 1) {
    sent.push_back(RandomBytes(size));
    ids.push_back(OpenEcho(sent.back()));
  }
  sent.emplace_back();
  ids.push_back(OpenEcho(sent.back()));
  for (size_t i = 0; i < ids.size(); ++i) ExpectEcho(ids[i], sent[i]);
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, TheOtherSideOpensManyStreams) {
  EXPECT_EQ(driver().Ask("open 100 700000"), "ok");
  EXPECT_EQ(driver().opened(), 100u);
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, BothOpenAtOnce) {
  const StreamId asks = driver().Open("open 40 500000\n", true);
  for (int i = 0; i < 10; ++i) ExpectWell();
  ASSERT_TRUE(driver().RunUntil([&] { return driver().finished(asks); }));
  EXPECT_EQ(driver().stream(asks).received, "ok\n");
  ExpectNoStreamsLeft();
}

// More streams than may wait: the Go side holds back.
TEST_P(YamuxConformanceTest, TheBacklogOfThisSide) {
  driver().set_policy(Policy::kWait);
  const StreamId asks = driver().Open("open 300 100\n", true);
  ASSERT_TRUE(driver().RunUntil(
      [&] { return driver().opened() == YamuxSession::kBacklog; }));
  ExpectWell();
  EXPECT_EQ(driver().opened(), YamuxSession::kBacklog);
  driver().set_policy(Policy::kEcho);
  driver().EchoAll();
  ASSERT_TRUE(driver().RunUntil([&] { return driver().finished(asks); }));
  EXPECT_EQ(driver().stream(asks).received, "ok\n");
  EXPECT_EQ(driver().opened(), 300u);
}

TEST_P(YamuxConformanceTest, TheOtherSideStopsReadingOneStream) {
  const std::string bytes = RandomBytes(5 * kWindow);
  const StreamId sleeper = driver().Open(absl::StrCat("sleep\n", bytes), true);
  EXPECT_TRUE(driver().RunUntil([&] { return session().output().empty(); }));
  EXPECT_EQ(session().SendWindow(sleeper), 0u);
  ExpectWell();
  EXPECT_EQ(session().SendWindow(sleeper), 0u);
  EXPECT_EQ(driver().stream(sleeper).received, "");
  EXPECT_EQ(driver().Ask("wake"), "ok");
  ExpectEcho(sleeper, bytes);
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, ThisSideStopsReadingOneStream) {
  const std::string bytes = RandomBytes(5 * kWindow);
  const StreamId stopped = OpenEcho(bytes);
  driver().stream(stopped).reads = false;
  const std::string& received = driver().stream(stopped).received;
  ASSERT_TRUE(driver().RunUntil([&] { return received.size() == kWindow; }));
  ExpectWell();
  EXPECT_EQ(received.size(), kWindow);
  driver().Read(stopped);
  ExpectEcho(stopped, bytes);
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, ThisSideResetsItsStreams) {
  for (int i = 0; i < 20; ++i) {
    const std::string bytes = RandomBytes(20000 * static_cast<size_t>(i));
    const StreamId id = OpenEcho(bytes);
    const std::string& received = driver().stream(id).received;
    const size_t some = bytes.size() / 2;
    ASSERT_TRUE(driver().RunUntil([&] { return received.size() >= some; }));
    session().Reset(id);
  }
  ExpectWell();
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, ThisSideResetsStreamsOfTheOther) {
  driver().set_policy(Policy::kReset);
  EXPECT_EQ(driver().Ask("openreset 20"), "20");
  driver().set_policy(Policy::kEcho);
  ExpectWell();
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, TheOtherSideEndsWithoutReading) {
  const StreamId id = driver().Open("close\n", false);
  ASSERT_TRUE(driver().RunUntil([&] { return driver().finished(id); }));
  EXPECT_EQ(session().stream_count(), 1u);
  driver().Send(id, RandomBytes(10000));
  ExpectWell();
  driver().Close(id);
  ExpectNoStreamsLeft();
}

TEST_P(YamuxConformanceTest, PingsBothWays) {
  EXPECT_EQ(driver().Ask("ping"), "ok");
  session().Advance(YamuxSession::kKeepalive);
  EXPECT_TRUE(session().awaits_answer());
  EXPECT_TRUE(driver().RunUntil([&] { return !session().awaits_answer(); }));
}

TEST_P(YamuxConformanceTest, GoAwayOfTheOtherSide) {
  const StreamId before = driver().Open("echo\n", false);
  const StreamId asks = driver().Open("goaway\n", true);
  std::string go_away(internal::kFrameHeaderSize, '\0');
  go_away[1] = static_cast<char>(FrameType::kGoAway);
  ASSERT_TRUE(driver().WaitForUnread(go_away));
  // Too late, but this side can't know yet.
  const StreamId late = driver().Open("echo\n", true);
  EXPECT_TRUE(driver().RunUntil([&] { return driver().stream(late).reset; }));
  EXPECT_EQ(driver().stream(asks).received, "ok\n");
  EXPECT_EQ(session().Open().status().code(),
            absl::StatusCode::kFailedPrecondition);
  // What there was goes on, and what the other side opens.
  const std::string bytes = RandomBytes(3 * kWindow);
  driver().Send(before, bytes);
  driver().Close(before);
  ExpectEcho(before, bytes);
  EXPECT_EQ(session().stream_count(), 0u);
}

TEST_P(YamuxConformanceTest, GoAwayOfThisSide) {
  const std::string bytes = RandomBytes(3 * kWindow);
  const StreamId before = OpenEcho(bytes);
  const StreamId asks = driver().Open("", false);
  session().GoAway(GoAwayCode::kNormal);
  driver().Send(asks, "open 1 10\n");
  driver().Close(asks);
  ASSERT_TRUE(driver().RunUntil([&] { return driver().finished(asks); }));
  EXPECT_EQ(driver().stream(asks).received,
            "remote end is not accepting connections\n");
  EXPECT_EQ(driver().opened(), 0u);
  ExpectEcho(before, bytes);
}

INSTANTIATE_TEST_SUITE_P(Roles, YamuxConformanceTest,
                         ::testing::Values(YamuxRole::kClient,
                                           YamuxRole::kServer),
                         [](const auto& info) {
                           return info.param == YamuxRole::kClient ? "Client"
                                                                   : "Server";
                         });

// Where the peer does not end in good order.
class YamuxAbruptTest : public YamuxConformanceTest {
 protected:
  void TearDown() override { PeersTest::TearDown(); }
};

TEST_P(YamuxAbruptTest, TheOtherSideDies) {
  const StreamId id = OpenEcho(RandomBytes(10 * kWindow));
  driver().stream(id).reads = false;
  const StreamId dies = driver().Open("die\n", false);
  EXPECT_FALSE(driver().RunUntil([&] { return driver().finished(dies); }));
  EXPECT_TRUE(driver().hung_up());
  EXPECT_FALSE(driver().finished(id));
  EXPECT_EQ(EndOfPeer(), kDied);
}

TEST_P(YamuxAbruptTest, ThisSideHangsUp) {
  const StreamId id = OpenEcho(RandomBytes(10 * kWindow));
  ASSERT_TRUE(driver().RunUntil(
      [&] { return driver().stream(id).received.size() > kWindow; }));
  const int code = EndOfPeer();
  EXPECT_TRUE(code == kHungUp || code == kSessionError) << code;
}

TEST_P(YamuxAbruptTest, AGoAwayThatSaysWhyEndsTheOtherSide) {
  ExpectWell();
  session().GoAway(GoAwayCode::kProtocolError);
  EXPECT_FALSE(driver().RunUntil([] { return false; }));
  EXPECT_TRUE(driver().hung_up());
  EXPECT_EQ(EndOfPeer(), kSessionError);
}

INSTANTIATE_TEST_SUITE_P(Roles, YamuxAbruptTest,
                         ::testing::Values(YamuxRole::kClient,
                                           YamuxRole::kServer),
                         [](const auto& info) {
                           return info.param == YamuxRole::kClient ? "Client"
                                                                   : "Server";
                         });

}  // namespace
}  // namespace goplugin::testing
