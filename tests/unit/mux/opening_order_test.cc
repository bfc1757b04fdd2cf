// When the next id is knocked at: once the other side has taken the stream
// before. The test is the other side, frame by frame.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/mux/multiplexer.h"
#include "goplugin/internal/process/unique_fd.h"
#include "tests/support/loop/run_on_loop.h"
#include "tests/unit/mux/frames.h"
#include "tests/unit/mux/sockets.h"

namespace goplugin::internal {
namespace {

using Ids = std::vector<std::uint32_t>;

class OpeningOrderTest : public ::testing::TestWithParam<StreamKind> {
 protected:
  void SetUp() override {
    Multiplexer::Options options;
    options.peer = "plugin";
    options.place = PlaceFor(GetParam());
    options.make_door = DoorsIn("/tmp");
    options.warn = [](const std::string& text) { ADD_FAILURE() << text; };
    multiplexer_ = Multiplexer::Create(loop_, std::move(options));
    Multiplexer::Messages messages;
    messages.knock = [this](std::uint32_t id) {
      knocks_.push_back(id);
      return absl::OkStatus();
    };
    multiplexer_->SetMessages(std::move(messages));
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    multiplexer_->Start(UniqueFd(ends[0]));
    peer_.reset(ends[1]);
    for (std::uint32_t id : {1, 2}) {
      doors_.push_back(*multiplexer_->OpenDoor(id));
      visitors_.push_back(EnterBy(*doors_.back()));
      // Its turn in the line is taken before the next one comes.
      AwaitVisitor();
    }
  }

  void TearDown() override {
    OnLoop([this] { multiplexer_->End(absl::CancelledError("over")); });
  }

  void OnLoop(const std::function<void()>& task) {
    testing::RunOnLoop(loop_, task);
  }

  Ids Knocks() {
    Ids knocks;
    OnLoop([&] { knocks = knocks_; });
    return knocks;
  }

  // The first visitor's knock is out before the second comes.
  void AwaitVisitor() {
    while (Knocks().empty()) {
    }
  }

  void Acknowledge(std::uint32_t id) { multiplexer_->OnAnswer(id, ""); }

  // The next frame that comes, as DescribeFrames has it.
  std::string NextFrame() {
    pollfd descriptor = {peer_.get(), POLLIN, 0};
    EXPECT_GT(poll(&descriptor, 1, /*timeout=*/20000), 0);
    char bytes[kFrameHeaderSize];
    const ssize_t count = recv(peer_.get(), bytes, sizeof bytes, 0);
    return DescribeFrames(absl::string_view(bytes, count < 0 ? 0 : count))[0];
  }

  void Say(const std::string& frame) {
    ASSERT_EQ(send(peer_.get(), frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }

  // What ends the wait is this frame of the other side's.
  void ExpectSecondKnockAfter(const std::string& frame) {
    EXPECT_EQ(Knocks(), Ids{1});
    Acknowledge(1);
    EXPECT_EQ(NextFrame(), "update SYN 1 +0");
    EXPECT_EQ(Knocks(), Ids{1});
    Say(frame);
    while (Knocks().size() < 2) {
    }
    EXPECT_EQ(Knocks(), (Ids{1, 2}));
    Acknowledge(2);
    EXPECT_EQ(NextFrame(), "update SYN 3 +0");
  }

  Ids knocks_;  // the loop's
  EventLoop loop_;
  std::shared_ptr<Multiplexer> multiplexer_;
  UniqueFd peer_;
  std::vector<std::shared_ptr<Door>> doors_;
  std::vector<UniqueFd> visitors_;
};

TEST_P(OpeningOrderTest, AfterTheStreamBeforeWasTaken) {
  ExpectSecondKnockAfter(FrameBytes(FrameType::kWindowUpdate, kAck, 1, 0));
}

TEST_P(OpeningOrderTest, AfterTheStreamBeforeWasReset) {
  ExpectSecondKnockAfter(FrameBytes(FrameType::kWindowUpdate, kRst, 1, 0));
}

INSTANTIATE_TEST_SUITE_P(Kinds, OpeningOrderTest,
                         ::testing::Values(StreamKind::kSockets,
                                           StreamKind::kStreams),
                         NameOf);

}  // namespace
}  // namespace goplugin::internal
