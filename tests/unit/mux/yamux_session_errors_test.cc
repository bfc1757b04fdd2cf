// What ends a session: frames that no yamux peer sends, and a peer that ends
// it.

#include <string>

#include "absl/status/status.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/session_test_base.h"

namespace goplugin::internal {
namespace {

constexpr char kProtocolError[] = "go-away 0 =1";
constexpr char kNormal[] = "go-away 0 =0";

std::string Invalid(char version, char type) {
  return std::string{version, type} + std::string(kFrameHeaderSize - 2, '\0');
}

struct Case {
  std::string name;
  // For a server with its own stream 2, and 1 of the other side.
  std::string bytes;
  std::string message;
  std::string last_frame = kProtocolError;
};

class YamuxErrorTest : public ::testing::TestWithParam<Case> {
 protected:
  YamuxErrorTest() {
    server_.Open();
    server_.Accepted(1);
  }

  // It has ended: no events, nothing sent, the same error for everything.
  void ExpectEnded(const absl::Status& status) {
    EXPECT_EQ(server_.session.stream_count(), 0u);
    EXPECT_EQ(server_.session.NextDeadline(), absl::InfiniteDuration());
    EXPECT_EQ(server_.session.Receive(SynBytes(11)), status);
    server_.session.Advance(absl::Hours(1));
    EXPECT_EQ(server_.session.Open().status(), status);
    EXPECT_EQ(server_.session.Send(1, "x"), 0u);
    EXPECT_EQ(server_.session.SendWindow(1), 0u);
    server_.session.Consumed(1, kWindow);
    server_.session.Accept(1);
    server_.session.CloseWrite(1);
    server_.session.Reset(1);
    server_.session.GoAway(GoAwayCode::kNormal);
    EXPECT_THAT(server_.Take(), IsEmpty());
    EXPECT_THAT(server_.Frames(), IsEmpty());
  }

  Side server_{YamuxRole::kServer};
};

TEST_P(YamuxErrorTest, EndsTheSession) {
  const absl::Status status = server_.session.Receive(GetParam().bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
  EXPECT_THAT(server_.Frames(), ElementsAre(GetParam().last_frame));
  server_.Take();
  ExpectEnded(status);
}

TEST_P(YamuxErrorTest, AtTheLastByteOfTheHeader) {
  const std::string& bytes = GetParam().bytes;
  absl::Status status;
  size_t used = 0;
  while (status.ok() && used < bytes.size()) {
    status = server_.session.Receive(bytes.substr(used++, 1));
  }
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(used % kFrameHeaderSize, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Frames, YamuxErrorTest,
    ::testing::Values(
        Case{"Version", Invalid(1, 0), "yamux version 1"},
        Case{"VersionBeforeType", Invalid(-1, -1), "yamux version 255"},
        Case{"Type", Invalid(0, 4), "unknown type 4"},
        Case{"LastType", Invalid(0, -1), "unknown type 255"},
        Case{"SynTwice", SynBytes(3) + SynBytes(3), "opened stream 3 twice"},
        Case{"SynOfAnAccepted", SynBytes(1), "opened stream 1 twice"},
        Case{"SynOfOurs", SynBytes(2), "stream 2, which is not its to open"},
        Case{"SynOfWrongParity", SynBytes(4), "stream 4, which is not its"},
        Case{"SynOfTheSession", SynBytes(0), "stream 0, which is not its"},
        Case{"SynWithDataOfWrongParity",
             FrameBytes(FrameType::kData, kSyn, 4, 9), "stream 4"},
        Case{"FinTwice", UpdateBytes(1, kFin) + UpdateBytes(1, kFin),
             "ended stream 1 twice"},
        Case{"FinTwiceWithData",
             UpdateBytes(1, kFin) + FrameBytes(FrameType::kData, kFin, 1, 3),
             "ended stream 1 twice"},
        Case{"PastTheWindow", FrameBytes(FrameType::kData, 0, 1, kWindow + 1),
             "262145 bytes on stream 1 where it may send 262144"},
        Case{"PastTheWindowWithSyn",
             FrameBytes(FrameType::kData, kSyn, 3, 0xffffffff),
             "4294967295 bytes on stream 3"},
        Case{"GoAwayProtocol", FrameBytes(FrameType::kGoAway, 0, 0, 1),
             "protocol error of this side", kNormal},
        Case{"GoAwayInternal", FrameBytes(FrameType::kGoAway, 0, 0, 2),
             "internal error of its own", kNormal},
        Case{"GoAwayUnknown", FrameBytes(FrameType::kGoAway, 0, 0, 3),
             "unknown code 3", kNormal}),
    [](const auto& info) { return info.param.name; });

// Why it ends is told also by who has said before that it would.
TEST(YamuxErrorsTest, AfterAGoAwayOfThisSide) {
  Side server(YamuxRole::kServer);
  server.session.GoAway(GoAwayCode::kNormal);
  EXPECT_THAT(server.Frames(), ElementsAre(kNormal));
  EXPECT_FALSE(server.session.Receive(Invalid(1, 0)).ok());
  EXPECT_THAT(server.Frames(), ElementsAre(kProtocolError));
}

TEST(YamuxErrorsTest, WhatCameBeforeIsHandedOn) {
  Side server(YamuxRole::kServer);
  const absl::Status status = server.session.Receive(
      DataBytes(1, "good", kSyn) + Invalid(1, 0) + DataBytes(1, "after"));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(server.Take(), ElementsAre("opened 1", "data 1 good"));
}

TEST(YamuxErrorsTest, AWindowPastInSeveralFrames) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(DataBytes(1, std::string(kWindow - 1, 'x')));
  // Consumed, but not told yet.
  server.session.Consumed(1, kHalf - 1);
  EXPECT_FALSE(server.session.Receive(DataBytes(1, "yz")).ok());
}

// Not the whole session: the other streams are in order.
TEST(YamuxErrorsTest, DataAfterTheEndResetsTheStream) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Accepted(3);
  server.Receive(UpdateBytes(1, kFin) + DataBytes(1, "more") +
                 DataBytes(1, "and more") + DataBytes(3, "mine"));
  EXPECT_THAT(server.Take(),
              ElementsAre("finished 1", "reset 1", "data 3 mine"));
  EXPECT_THAT(server.Frames(), ElementsAre("update RST 1 +0"));
  EXPECT_EQ(server.session.stream_count(), 1u);
}

TEST(YamuxErrorsTest, FramesOfNoStream) {
  Side server(YamuxRole::kServer);
  server.Receive(DataBytes(1, SynBytes(5)) + DataBytes(2, "x", kFin) +
                 DataBytes(0, std::string(kWindow + 1, 'x')) +
                 UpdateBytes(1, kAck, 9) + UpdateBytes(2, kFin) +
                 UpdateBytes(4, kRst) + UpdateBytes(0, 0, 1) + SynBytes(7));
  EXPECT_THAT(server.Take(), ElementsAre("opened 7"));
  EXPECT_THAT(server.Frames(), IsEmpty());
}

TEST(YamuxErrorsTest, UnknownFlagsAreIgnored) {
  Side server(YamuxRole::kServer);
  server.Receive(DataBytes(1, "x", kSyn | 0xfff0));
  server.Receive(UpdateBytes(1, 0xfff0, 1));
  server.Receive(FrameBytes(FrameType::kPing, 0xfff0, 5, 1));
  EXPECT_THAT(server.Take(), ElementsAre("opened 1", "data 1 x"));
  EXPECT_EQ(server.session.SendWindow(1), kWindow + 1);
  EXPECT_THAT(server.Frames(), IsEmpty());
}

// ---- A peer that asks and does not listen -----------------------------------

TEST(YamuxOutputTest, AnswersThatNobodyReadsEndTheSession) {
  const std::string ping = FrameBytes(FrameType::kPing, kSyn, 0, 1);
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += ping;
  Side server(YamuxRole::kServer);
  absl::Status status;
  size_t heard = 0;
  while (status.ok() && heard < 4 * YamuxSession::kMaxOutput) {
    status = server.session.Receive(pings);
    heard += pings.size();
  }
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not read"));
  EXPECT_GE(heard, YamuxSession::kMaxOutput);
  EXPECT_LE(server.session.output().size(),
            YamuxSession::kMaxOutput + 3 * kFrameHeaderSize);
  EXPECT_EQ(server.Frames().back(), kProtocolError);
}

TEST(YamuxOutputTest, AnswersThatAreReadMayBeAsManyAsTheyLike) {
  const std::string ping = FrameBytes(FrameType::kPing, kSyn, 0, 1);
  std::string pings;
  for (int i = 0; i < 10000; ++i) pings += ping;
  Side server(YamuxRole::kServer);
  for (size_t heard = 0; heard < 4 * YamuxSession::kMaxOutput;
       heard += pings.size()) {
    server.Receive(pings);
    server.session.RemoveOutput(server.session.output().size());
  }
}

// Neither is the peer's fault.
TEST(YamuxOutputTest, DataThatWaitsDoesNotCount) {
  Side server(YamuxRole::kServer);
  const std::string data(kWindow, 'x');
  for (size_t sent = 0; sent <= 2 * YamuxSession::kMaxOutput; sent += kWindow) {
    const auto stream = server.session.Open();
    ASSERT_EQ(server.session.Send(*stream, data), kWindow);
  }
  server.Receive(FrameBytes(FrameType::kPing, kSyn, 0, 1));
}

// The output is never empty meanwhile.
TEST(YamuxOutputTest, AnswersThatWereReadDoNotCount) {
  Side server(YamuxRole::kServer);
  std::string pings;
  for (int i = 0; i < 10000; ++i) {
    pings += FrameBytes(FrameType::kPing, kSyn, 0, 1);
  }
  server.Receive(pings);
  for (size_t heard = 0; heard < 4 * YamuxSession::kMaxOutput;
       heard += pings.size()) {
    server.Receive(pings);
    server.session.RemoveOutput(pings.size() - 7);
    server.session.RemoveOutput(7);
  }
  EXPECT_EQ(server.session.output().size(), pings.size());
}

TEST(YamuxOutputTest, RefusedStreamsCountToo) {
  Side server(YamuxRole::kServer);
  server.session.GoAway(GoAwayCode::kNormal);
  absl::Status status;
  std::uint32_t id = 1;
  for (; status.ok() && id < 1000000; id += 2) {
    status = server.session.Receive(SynBytes(id));
  }
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not read"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

}  // namespace
}  // namespace goplugin::internal
