#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/session_test_base.h"

namespace goplugin::internal {
namespace {

constexpr absl::Duration kKeepalive = YamuxSession::kKeepalive;
constexpr absl::Duration kPingTimeout = YamuxSession::kPingTimeout;
constexpr absl::Duration kAcceptTimeout = YamuxSession::kAcceptTimeout;
constexpr absl::Duration kHalfClosed = YamuxSession::kHalfClosedTimeout;
// A moment before a deadline.
constexpr absl::Duration kMoment = absl::Nanoseconds(1);

std::string PingBytes(unsigned flags, std::uint32_t value) {
  return FrameBytes(FrameType::kPing, flags, 0, value);
}

void ExpectEnd(Side& side, const absl::Status& status, const char* message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  EXPECT_EQ(side.Frames().back(), "go-away 0 =0");
  EXPECT_EQ(side.session.NextDeadline(), absl::InfiniteDuration());
  EXPECT_EQ(side.session.stream_count(), 0u);
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

// The values are the Go implementation's.
TEST(YamuxTimeTest, TheConstants) {
  EXPECT_EQ(kKeepalive, absl::Seconds(30));
  EXPECT_EQ(kPingTimeout, absl::Seconds(10));
  EXPECT_EQ(kAcceptTimeout, absl::Seconds(75));
  EXPECT_EQ(kHalfClosed, absl::Seconds(300));
}

TEST(YamuxTimeTest, APingEachHalfMinute) {
  Side side(YamuxRole::kClient);
  EXPECT_EQ(side.session.NextDeadline(), kKeepalive);
  side.Advance(kKeepalive - kMoment);
  EXPECT_THAT(side.Frames(), IsEmpty());
  side.Advance(kKeepalive);
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =1"));
  EXPECT_EQ(side.session.NextDeadline(), kKeepalive + kPingTimeout);
  side.Advance(absl::Seconds(33));
  EXPECT_THAT(side.Frames(), IsEmpty());
  side.Receive(PingBytes(kAck, 1));
  EXPECT_EQ(side.session.NextDeadline(), absl::Seconds(33) + kKeepalive);
  side.Advance(absl::Seconds(63));
  EXPECT_THAT(side.Frames(), ElementsAre("ping SYN 0 =2"));
}

TEST(YamuxTimeTest, APingThatIsNotAnsweredEndsTheSession) {
  Side side(YamuxRole::kClient);
  side.Advance(kKeepalive);
  side.Advance(kKeepalive + kPingTimeout - kMoment);
  const absl::Status status = side.session.Advance(kKeepalive + kPingTimeout);
  ExpectEnd(side, status, "not answered a ping for 10s");
}

TEST(YamuxTimeTest, OnlyTheRightAnswerCounts) {
  Side side(YamuxRole::kClient);
  side.Advance(kKeepalive);
  // Of another ping, and its own question.
  side.Receive(PingBytes(kAck, 2) + PingBytes(kAck, 0) + PingBytes(kSyn, 1));
  EXPECT_FALSE(side.session.Advance(kKeepalive + kPingTimeout).ok());
}

TEST(YamuxTimeTest, AnAnswerCountsOnce) {
  Side side(YamuxRole::kClient);
  side.Advance(kKeepalive);
  side.Receive(PingBytes(kAck, 1));
  side.Advance(2 * kKeepalive);
  side.Receive(PingBytes(kAck, 1));
  EXPECT_FALSE(side.session.Advance(2 * kKeepalive + kPingTimeout).ok());
}

TEST(YamuxTimeTest, AnyBeginningOfTime) {
  Recorder events;
  YamuxSession session(YamuxRole::kClient, events);
  // Before the first Advance.
  ASSERT_TRUE(session.Open().ok());
  TakeFrames(session);
  const absl::Duration begin = absl::Hours(24 * 365 * 50);
  EXPECT_LE(session.NextDeadline(), begin);
  EXPECT_TRUE(session.Advance(begin).ok());
  EXPECT_THAT(TakeFrames(session), IsEmpty());
  EXPECT_EQ(session.NextDeadline(), begin + kKeepalive);
  EXPECT_TRUE(session.Advance(begin + kKeepalive).ok());
  EXPECT_THAT(TakeFrames(session), ElementsAre("ping SYN 0 =1"));
}

TEST(YamuxTimeTest, DoesNotGoBack) {
  Side side(YamuxRole::kClient);
  side.Advance(absl::Seconds(20));
  side.Advance(absl::Seconds(1));
  side.Open();
  LetPass(side, absl::Seconds(95) - kMoment);
  EXPECT_FALSE(side.session.Advance(absl::Seconds(95)).ok());
}

TEST(YamuxTimeTest, AStreamThatIsNotAcceptedEndsTheSession) {
  Side side(YamuxRole::kServer);
  LetPass(side, absl::Seconds(5));
  side.Open();
  side.Open();
  LetPass(side, absl::Seconds(70));
  side.Receive(UpdateBytes(2, kAck));
  LetPass(side, absl::Seconds(5) + kAcceptTimeout - kMoment);
  EXPECT_EQ(side.session.NextDeadline(), absl::Seconds(5) + kAcceptTimeout);
  const absl::Status status =
      side.session.Advance(absl::Seconds(5) + kAcceptTimeout);
  ExpectEnd(side, status, "not accepted stream 4 for 1m15s");
}

TEST(YamuxTimeTest, AcceptedOrResetStreamsAreNotWaitedFor) {
  Side side(YamuxRole::kServer);
  for (int i = 0; i < 4; ++i) side.Open();
  side.Receive(UpdateBytes(2, kAck) + UpdateBytes(4, kRst) +
               DataBytes(6, "data is no answer", kAck));
  side.session.Reset(8);
  side.Frames();
  LetPass(side, 2 * kAcceptTimeout);
  EXPECT_EQ(side.session.stream_count(), 2u);
}

// Go's end of a stream that it never accepted carries its ACK; data without one
// is no answer.
TEST(YamuxTimeTest, DataIsNoAnswer) {
  Side side(YamuxRole::kClient);
  side.Open();
  side.Receive(DataBytes(1, "x"));
  LetPass(side, kAcceptTimeout - kMoment);
  EXPECT_FALSE(side.session.Advance(kAcceptTimeout).ok());
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
