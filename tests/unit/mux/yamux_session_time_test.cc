#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/session_test_base.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kKeepalive = YamuxSession::kKeepalive;
constexpr absl::Duration kHalfClosed = YamuxSession::kHalfClosedTimeout;
// A moment before a deadline.
constexpr absl::Duration kMoment = absl::Nanoseconds(1);

std::string PingBytes(unsigned flags, std::uint32_t value) {
  return FrameBytes(FrameType::kPing, flags, 0, value);
}

// Answers the keepalive's pings until then.
void LetPass(Side& side, absl::Duration until) {
  while (side.session.NextDeadline() < until) {
    side.Advance(side.session.NextDeadline());
    for (const std::string& frame : side.Frames()) {
      std::uint32_t value = 0;
      if (absl::SimpleAtoi(absl::StripPrefix(frame, "ping SYN 0 ="), &value)) {
        side.Receive(PingBytes(kAck, value));
      }
    }
  }
  side.Advance(until);
  side.Frames();
}

// Longer than anybody's patience.
constexpr absl::Duration kLong = absl::Hours(12);

// The values are the Go implementation's.
TEST(YamuxTimeTest, TheConstants) {
  EXPECT_EQ(kKeepalive, absl::Seconds(30));
  EXPECT_EQ(kHalfClosed, absl::Seconds(300));
}

TEST(YamuxTimeTest, APingEachHalfMinute) {
  Side side(YamuxRole::kClient);
  EXPECT_EQ(side.session.NextDeadline(), kKeepalive);
  side.Advance(kKeepalive - kMoment);
  EXPECT_THAT(side.Frames(), IsEmpty());
  side.Advance(kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =1"));
  EXPECT_EQ(side.session.NextDeadline(), 2 * kKeepalive);
  side.Advance(absl::Seconds(33));
  EXPECT_THAT(side.Frames(), IsEmpty());
  side.Receive(PingBytes(kAck, 1));
  EXPECT_EQ(side.session.NextDeadline(), absl::Seconds(33) + kKeepalive);
  side.Advance(absl::Seconds(63));
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =2"));
}

// The other side stands still, for as long as it likes.
TEST(YamuxTimeTest, APingThatIsNotAnsweredEndsNothing) {
  Side side(YamuxRole::kClient);
  side.Accepted(2);
  side.Advance(kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =1"));
  for (int i = 2; i < 100; ++i) side.Advance(i * kKeepalive);
  side.Advance(kLong);
  // One is enough.
  EXPECT_THAT(side.Frames(), IsEmpty());
  side.Receive(PingBytes(kAck, 1) + DataBytes(2, "back again"));
  EXPECT_THAT(side.Take(), ElementsAre("data 2 back again"));
  side.Advance(kLong + kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =2"));
}

// This side stands still: what its time brings first, and then the answer.
TEST(YamuxTimeTest, AnAnswerThatWasNotReadInTimeCounts) {
  Side side(YamuxRole::kServer);
  side.Advance(kKeepalive);
  side.Advance(kLong);
  side.Receive(PingBytes(kAck, 1));
  side.Frames();
  side.Advance(kLong + kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =2"));
}

TEST(YamuxTimeTest, OnlyTheRightAnswerCounts) {
  Side side(YamuxRole::kClient);
  side.Advance(kKeepalive);
  side.Frames();
  // Of another ping, and its own question.
  side.Receive(PingBytes(kAck, 2) + PingBytes(kAck, 0) + PingBytes(kSyn, 1));
  EXPECT_EQ(side.session.pings_received(), 1u);
  EXPECT_THAT(side.Frames(), ElementsAre("ping ACK 0 =1"));
  side.Advance(2 * kKeepalive);
  EXPECT_THAT(side.Frames(), IsEmpty());
}

TEST(YamuxTimeTest, AnyBeginningOfTime) {
  Recorder events;
  YamuxSession session(YamuxRole::kClient, events);
  // Before the first Advance.
  ASSERT_TRUE(session.Open().ok());
  TakeFrames(session);
  const absl::Duration begin = absl::Hours(24 * 365 * 50);
  EXPECT_LE(session.NextDeadline(), begin);
  session.Advance(begin);
  EXPECT_THAT(TakeFrames(session), IsEmpty());
  EXPECT_EQ(session.NextDeadline(), begin + kKeepalive);
  session.Advance(begin + kKeepalive);
  EXPECT_THAT(TakeFrames(session), ElementsAre("ping SYN 0 =1"));
}

TEST(YamuxTimeTest, DoesNotGoBack) {
  Side side(YamuxRole::kClient);
  side.Advance(absl::Seconds(20));
  side.Advance(absl::Seconds(1));
  EXPECT_EQ(side.session.NextDeadline(), kKeepalive);
  side.Advance(kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =1"));
}

TEST(YamuxTimeTest, AStreamThatIsNotAcceptedEndsNothing) {
  Side side(YamuxRole::kServer);
  const auto stream = side.Open();
  LetPass(side, kLong);
  side.Receive(UpdateBytes(stream, kAck));
  EXPECT_FALSE(side.session.IsUnaccepted(stream));
  EXPECT_EQ(side.session.stream_count(), 1u);
}

TEST(YamuxTimeTest, AHalfClosedStreamIsReset) {
  Side side(YamuxRole::kServer);
  side.Accepted(1);
  side.Accepted(3);
  LetPass(side, absl::Seconds(7));
  side.session.CloseWrite(1);
  LetPass(side, absl::Seconds(8));
  side.session.CloseWrite(3);
  LetPass(side, absl::Seconds(7) + kHalfClosed - kMoment);
  // Data doesn't put it off.
  side.Receive(DataBytes(1, "x"));
  EXPECT_EQ(side.session.NextDeadline(), absl::Seconds(7) + kHalfClosed);
  side.Take();
  side.Advance(absl::Seconds(7) + kHalfClosed);
  EXPECT_THAT(side.Take(), ElementsAre("reset 1"));
  EXPECT_THAT(side.Frames(), ElementsAre("update RST 1 +0"));
  EXPECT_EQ(side.session.stream_count(), 1u);
}

TEST(YamuxTimeTest, ManyHalfClosedAtOnce) {
  Side side(YamuxRole::kServer);
  for (std::uint32_t id = 1; id < 8; id += 2) {
    side.Accepted(id);
    side.session.CloseWrite(id);
  }
  side.Receive(UpdateBytes(3, kFin));
  side.session.Reset(5);
  side.Take();
  LetPass(side, kHalfClosed - kMoment);
  side.Advance(kHalfClosed);
  EXPECT_THAT(side.Take(), ElementsAre("reset 1", "reset 7"));
  EXPECT_EQ(side.session.stream_count(), 0u);
}

// This side may take its time to end what the other side has ended.
TEST(YamuxTimeTest, HalfClosedByTheOtherSideMayStay) {
  Side side(YamuxRole::kServer);
  side.Accepted(1);
  side.Receive(UpdateBytes(1, kFin));
  side.Take();
  LetPass(side, 3 * kHalfClosed);
  EXPECT_THAT(side.Take(), IsEmpty());
  side.session.CloseWrite(1);
  EXPECT_EQ(side.session.stream_count(), 0u);
}

}  // namespace
}  // namespace goplugin::internal
