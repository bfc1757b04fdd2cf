#include "goplugin/internal/mux/yamux_session.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tests/unit/mux/session_test_base.h"

namespace goplugin::internal {
namespace {

// ---- Opening ----------------------------------------------------------------

TEST(YamuxOpenTest, IdsTellWhoOpened) {
  Side client(YamuxRole::kClient);
  EXPECT_EQ(*client.session.Open(), 1u);
  EXPECT_EQ(*client.session.Open(), 3u);
  EXPECT_THAT(client.Frames(),
              ElementsAre("update SYN 1 +0", "update SYN 3 +0"));
  Side server(YamuxRole::kServer);
  EXPECT_EQ(*server.session.Open(), 2u);
  EXPECT_EQ(*server.session.Open(), 4u);
  EXPECT_THAT(server.Frames(),
              ElementsAre("update SYN 2 +0", "update SYN 4 +0"));
}

TEST(YamuxOpenTest, TheOtherSidesAreAcceptedOnce) {
  Side server(YamuxRole::kServer);
  server.Receive(SynBytes(1));
  EXPECT_THAT(server.Take(), ElementsAre("opened 1"));
  EXPECT_THAT(server.Frames(), IsEmpty());
  server.session.Accept(1);
  server.session.Accept(1);
  EXPECT_THAT(server.Frames(), ElementsAre("update ACK 1 +0"));
  EXPECT_EQ(server.session.stream_count(), 1u);
}

TEST(YamuxOpenTest, OwnAndUnknownStreamsAreNotAccepted) {
  Side client(YamuxRole::kClient);
  client.session.Accept(client.Open());
  client.session.Accept(2);
  EXPECT_THAT(client.Frames(), IsEmpty());
}

// As yamux allows: no round trip before the first byte.
TEST(YamuxOpenTest, DataNeedNotWaitForTheAnswer) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  EXPECT_EQ(client.session.Send(stream, "early"), 5u);
  EXPECT_THAT(client.Frames(), ElementsAre("data 1 early"));
}

TEST(YamuxOpenTest, ASynWithDataAndEnd) {
  Side server(YamuxRole::kServer);
  server.Receive(DataBytes(1, "all", kSyn | kFin));
  EXPECT_THAT(server.Take(),
              ElementsAre("opened 1", "data 1 all", "finished 1"));
}

TEST(YamuxOpenTest, ASynWithWindow) {
  Side server(YamuxRole::kServer);
  server.Receive(UpdateBytes(1, kSyn, 1000));
  EXPECT_EQ(server.session.SendWindow(1), kWindow + 1000);
}

TEST(YamuxOpenTest, ASynThatResetsItself) {
  Side server(YamuxRole::kServer);
  server.Receive(UpdateBytes(1, kSyn | kRst));
  EXPECT_THAT(server.Take(), ElementsAre("opened 1", "reset 1"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

TEST(YamuxOpenTest, NoMoreThanTheBacklogWaitForTheOtherSide) {
  Side client(YamuxRole::kClient);
  for (size_t i = 0; i < YamuxSession::kBacklog; ++i) client.Open();
  const auto refused = client.session.Open();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(client.Frames(), IsEmpty());
  // Room again: by an answer, a reset of the other side, a reset of ours.
  client.Receive(UpdateBytes(1, kAck));
  EXPECT_EQ(client.Open(), 513u);
  client.Receive(UpdateBytes(3, kRst));
  EXPECT_EQ(client.Open(), 515u);
  client.session.Reset(5);
  EXPECT_EQ(client.Open(), 517u);
  EXPECT_FALSE(client.session.Open().ok());
  // Of a second answer, and of one to a stream that is gone, nothing comes.
  client.Receive(UpdateBytes(1, kAck) + UpdateBytes(5, kAck));
  EXPECT_FALSE(client.session.Open().ok());
}

TEST(YamuxOpenTest, NoMoreThanTheBacklogWaitForThisSide) {
  Side server(YamuxRole::kServer);
  std::uint32_t id = 1;
  for (size_t i = 0; i < YamuxSession::kBacklog; ++i, id += 2) {
    server.Receive(SynBytes(id));
  }
  EXPECT_EQ(server.Take().size(), YamuxSession::kBacklog);
  EXPECT_THAT(server.Frames(), IsEmpty());
  server.Receive(DataBytes(id, "unwanted", kSyn));
  EXPECT_THAT(server.Take(), IsEmpty());
  EXPECT_THAT(server.Frames(),
              ElementsAre(absl::StrCat("update RST ", id, " +0")));
  EXPECT_EQ(server.session.stream_count(), YamuxSession::kBacklog);
}

// Accepted, reset by either side, or ended by both: it waits no more.
TEST(YamuxOpenTest, RoomInTheBacklogComesBack) {
  Side server(YamuxRole::kServer);
  std::uint32_t id = 1;
  for (size_t i = 0; i < YamuxSession::kBacklog; ++i, id += 2) {
    server.Receive(SynBytes(id));
  }
  server.session.Accept(1);
  server.session.Reset(3);
  server.Receive(UpdateBytes(5, kRst) + UpdateBytes(7, kFin));
  server.session.CloseWrite(7);
  EXPECT_EQ(server.session.stream_count(), YamuxSession::kBacklog - 3);
  server.Take();
  server.Frames();
  for (int i = 0; i < 5; ++i, id += 2) server.Receive(SynBytes(id));
  EXPECT_EQ(server.Take().size(), 4u);
  EXPECT_EQ(server.Frames().size(), 1u);
}

// Accepted, and never ended: half-closed ones count as well.
TEST(YamuxOpenTest, StreamsOfTheOtherSideHaveABound) {
  Side server(YamuxRole::kServer);
  std::uint32_t id = 1;
  for (size_t i = 0; i < YamuxSession::kMaxTheirs; ++i, id += 2) {
    server.Receive(SynBytes(id));
    server.session.Accept(id);
    if (id % 4 == 1) server.Receive(UpdateBytes(id, kFin));
    server.Frames();
  }
  server.Receive(SynBytes(id));
  EXPECT_THAT(server.Frames(),
              ElementsAre(absl::StrCat("update RST ", id, " +0")));
  EXPECT_EQ(server.session.stream_count(), YamuxSession::kMaxTheirs);
  // Its own are no business of the other side's.
  EXPECT_TRUE(server.session.Open().ok());
  // One that goes makes room for one.
  server.session.Reset(1);
  server.Take();
  server.Receive(SynBytes(id + 2) + SynBytes(id + 4));
  EXPECT_EQ(server.Take().size(), 1u);
}

// It would hold a place in the backlog for ever.
TEST(YamuxOpenTest, AnAckOfItsOwnStreamChangesNothing) {
  Side server(YamuxRole::kServer);
  server.Receive(UpdateBytes(1, kSyn | kAck) + UpdateBytes(1, kAck));
  server.session.Accept(1);
  EXPECT_THAT(server.Frames(), ElementsAre("update ACK 1 +0"));
  for (std::uint32_t id = 3; id < 3 + 2 * YamuxSession::kBacklog; id += 2) {
    server.Receive(UpdateBytes(id, kSyn | kAck));
  }
  EXPECT_THAT(server.Frames(), IsEmpty());
}

// ---- Data and windows -------------------------------------------------------

TEST(YamuxDataTest, BothWays) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.Receive(UpdateBytes(stream, kAck) + DataBytes(stream, "there"));
  EXPECT_THAT(client.Take(), ElementsAre("data 1 there"));
  EXPECT_EQ(client.session.Send(stream, "here"), 4u);
  EXPECT_THAT(client.Frames(), ElementsAre("data 1 here"));
  EXPECT_EQ(client.session.SendWindow(stream), kWindow - 4);
}

TEST(YamuxDataTest, WrittenInPlace) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  EXPECT_EQ(client.session.BeginData(stream, kWindow + 1).size(), kWindow);
  client.session.EndData(0);
  EXPECT_THAT(client.Frames(), IsEmpty());
  const absl::Span<char> room = client.session.BeginData(stream, 10);
  ASSERT_EQ(room.size(), 10u);
  std::memcpy(room.data(), "abcdef", 6);
  client.session.EndData(4);
  EXPECT_THAT(client.Frames(), ElementsAre("data 1 abcd"));
  EXPECT_EQ(client.session.SendWindow(stream), kWindow - 4);
}

TEST(YamuxDataTest, NothingToSendIsNoFrame) {
  Side client(YamuxRole::kClient);
  EXPECT_EQ(client.session.Send(client.Open(), ""), 0u);
  EXPECT_EQ(client.session.Send(77, "nobody"), 0u);
  EXPECT_TRUE(client.session.BeginData(77, 1).empty());
  EXPECT_EQ(client.session.SendWindow(77), 0u);
  EXPECT_THAT(client.Frames(), IsEmpty());
}

TEST(YamuxDataTest, NoMoreThanTheWindowIsSent) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  const std::string bytes(kWindow + 10, 'x');
  EXPECT_EQ(client.session.Send(stream, bytes), kWindow);
  EXPECT_EQ(client.session.Send(stream, "y"), 0u);
  EXPECT_EQ(client.session.SendWindow(stream), 0u);
  client.Frames();
  client.Receive(UpdateBytes(stream, 0, 3));
  EXPECT_THAT(client.Take(), ElementsAre("window 1"));
  EXPECT_EQ(client.session.Send(stream, "abcdef"), 3u);
  EXPECT_THAT(client.Frames(), ElementsAre("data 1 abc"));
}

// The event is for who waits only.
TEST(YamuxDataTest, MoreWindowForWhoHasSomeIsNoEvent) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.session.Send(stream, std::string(kWindow - 1, 'x'));
  client.Receive(UpdateBytes(stream, kAck, 5));
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_EQ(client.session.SendWindow(stream), 6u);
  client.session.Send(stream, "abcdef");
  client.Receive(UpdateBytes(stream, 0, 0));
  EXPECT_THAT(client.Take(), IsEmpty());
}

TEST(YamuxDataTest, NoWindowEventForWhoHasClosed) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.session.Send(stream, std::string(kWindow, 'x'));
  client.session.CloseWrite(stream);
  client.Receive(UpdateBytes(stream, 0, 5));
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_EQ(client.session.SendWindow(stream), 0u);
}

TEST(YamuxDataTest, AWindowThatOverflowsIsTheLargest) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  const std::uint32_t most = 0xffffffff;
  client.Receive(UpdateBytes(stream, 0, most));
  EXPECT_EQ(client.session.SendWindow(stream), most);
  client.Receive(UpdateBytes(stream, 0, 1) + UpdateBytes(stream, 0, most));
  EXPECT_EQ(client.session.SendWindow(stream), most);
  EXPECT_EQ(client.session.Send(stream, "abc"), 3u);
  EXPECT_EQ(client.session.SendWindow(stream), most - 3);
}

TEST(YamuxDataTest, WindowIsGivenForWhatWasConsumed) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(DataBytes(1, std::string(kWindow, 'x')));
  EXPECT_THAT(server.Frames(), IsEmpty());
  server.session.Consumed(1, kHalf - 1);
  EXPECT_THAT(server.Frames(), IsEmpty());
  server.session.Consumed(1, 1);
  EXPECT_THAT(server.Frames(), ElementsAre(absl::StrCat("update 1 +", kHalf)));
  server.session.Consumed(1, kHalf);
  EXPECT_THAT(server.Frames(), ElementsAre(absl::StrCat("update 1 +", kHalf)));
  server.Receive(DataBytes(1, std::string(kWindow, 'x')));
  EXPECT_FALSE(server.session.Receive(DataBytes(1, "y")).ok());
}

TEST(YamuxDataTest, ConsumedWhatNobodyWaitsForIsNotTold) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(DataBytes(1, std::string(kWindow, 'x'), kFin));
  server.session.Consumed(1, kWindow);
  server.session.Consumed(99, kWindow);
  EXPECT_THAT(server.Frames(), IsEmpty());
}

TEST(YamuxDataTest, EachStreamHasItsOwnWindow) {
  Side client(YamuxRole::kClient);
  const auto one = client.Open();
  const auto two = client.Open();
  client.session.Send(one, std::string(kWindow, 'x'));
  EXPECT_EQ(client.session.SendWindow(two), kWindow);
  client.Frames();
  client.Receive(DataBytes(one, std::string(kWindow, 'x')));
  client.Receive(DataBytes(two, std::string(kWindow, 'x')));
  client.session.Consumed(two, kWindow);
  EXPECT_THAT(client.Frames(),
              ElementsAre(absl::StrCat("update 3 +", kWindow)));
}

TEST(YamuxDataTest, AnEmptyDataFrameIsNoEvent) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(DataBytes(1, ""));
  EXPECT_THAT(server.Take(), IsEmpty());
  server.Receive(DataBytes(1, "", kFin));
  EXPECT_THAT(server.Take(), ElementsAre("finished 1"));
}

// ---- The end of a stream ----------------------------------------------------

TEST(YamuxEndTest, OneDirectionAfterTheOther) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.session.CloseWrite(stream);
  client.session.CloseWrite(stream);
  EXPECT_THAT(client.Frames(), ElementsAre("update FIN 1 +0"));
  EXPECT_EQ(client.session.Send(stream, "late"), 0u);
  EXPECT_TRUE(client.session.BeginData(stream, 1).empty());
  EXPECT_EQ(client.session.SendWindow(stream), 0u);
  client.Receive(UpdateBytes(stream, kAck) + DataBytes(stream, "still"));
  client.Receive(DataBytes(stream, "last", kFin));
  EXPECT_THAT(client.Take(), ElementsAre("data 1 stilllast", "finished 1"));
  EXPECT_EQ(client.session.stream_count(), 0u);
  EXPECT_THAT(client.Frames(), IsEmpty());
}

TEST(YamuxEndTest, TheOtherSideFirst) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(UpdateBytes(1, kFin));
  EXPECT_THAT(server.Take(), ElementsAre("finished 1"));
  EXPECT_EQ(server.session.Send(1, "answer"), 6u);
  server.session.CloseWrite(1);
  EXPECT_THAT(server.Frames(), ElementsAre("data 1 answer", "update FIN 1 +0"));
  EXPECT_EQ(server.session.stream_count(), 0u);
}

// Who ends a stream has accepted it: the other side waits for that.
TEST(YamuxEndTest, AnEndAcceptsFirst) {
  Side server(YamuxRole::kServer);
  server.Receive(SynBytes(1));
  server.session.CloseWrite(1);
  EXPECT_THAT(server.Frames(),
              ElementsAre("update ACK 1 +0", "update FIN 1 +0"));
}

TEST(YamuxEndTest, AnEndWithWindow) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.session.Send(stream, std::string(kWindow, 'x'));
  client.Receive(UpdateBytes(stream, kFin, 7));
  EXPECT_THAT(client.Take(), ElementsAre("finished 1", "window 1"));
  EXPECT_EQ(client.session.SendWindow(stream), 7u);
}

TEST(YamuxEndTest, ResetByTheOtherSide) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.Receive(DataBytes(stream, "x") + UpdateBytes(stream, kRst, 5));
  EXPECT_THAT(client.Take(), ElementsAre("data 1 x", "reset 1"));
  EXPECT_EQ(client.session.stream_count(), 0u);
  EXPECT_EQ(client.session.Send(stream, "late"), 0u);
  client.session.Consumed(stream, 1);
  client.session.CloseWrite(stream);
  client.session.Reset(stream);
  EXPECT_THAT(client.Frames(), IsEmpty());
}

TEST(YamuxEndTest, OfOneStreamIsNotTheNextOnes) {
  Side server(YamuxRole::kServer);
  server.Receive(DataBytes(1, "a", kSyn | kFin) + DataBytes(3, "b", kSyn));
  EXPECT_THAT(server.Take(), ElementsAre("opened 1", "data 1 a", "finished 1",
                                         "opened 3", "data 3 b"));
}

// Its own payload is lost with it, and nothing else.
TEST(YamuxEndTest, AResetWithData) {
  Side client(YamuxRole::kClient);
  const auto one = client.Open();
  const auto two = client.Open();
  client.Receive(DataBytes(one, "lost", kRst) + DataBytes(two, "kept"));
  EXPECT_THAT(client.Take(), ElementsAre("reset 1", "data 3 kept"));
}

TEST(YamuxEndTest, ResetByThisSide) {
  Side client(YamuxRole::kClient);
  const auto one = client.Open();
  const auto two = client.Open();
  client.session.Reset(one);
  EXPECT_THAT(client.Frames(), ElementsAre("update RST 1 +0"));
  EXPECT_EQ(client.session.stream_count(), 1u);
  // What was under way when the reset was sent.
  client.Receive(UpdateBytes(one, kAck, 5) + DataBytes(one, "gone") +
                 DataBytes(two, "here") + DataBytes(one, "", kFin) +
                 UpdateBytes(one, kFin) + UpdateBytes(one, kRst));
  EXPECT_THAT(client.Take(), ElementsAre("data 3 here"));
  EXPECT_THAT(client.Frames(), IsEmpty());
}

TEST(YamuxEndTest, AnIdMayComeAgain) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  server.Receive(DataBytes(1, std::string(kWindow, 'x')));
  server.session.Reset(1);
  server.Accepted(1);
  server.Receive(DataBytes(1, std::string(kWindow, 'x')));
  EXPECT_EQ(server.session.stream_count(), 1u);
}

// ---- The session ------------------------------------------------------------

TEST(YamuxPingTest, IsAnsweredWithItsValue) {
  Side client(YamuxRole::kClient);
  client.Receive(FrameBytes(FrameType::kPing, kSyn, 0, 0xfedcba98));
  client.Receive(FrameBytes(FrameType::kPing, kSyn, 0, 0));
  EXPECT_THAT(client.Frames(),
              ElementsAre("ping ACK 0 =4275878552", "ping ACK 0 =0"));
  EXPECT_THAT(client.Take(), IsEmpty());
}

TEST(YamuxPingTest, AnAnswerNobodyAskedForIsIgnored) {
  Side client(YamuxRole::kClient);
  const absl::Duration before = client.session.NextDeadline();
  client.Receive(FrameBytes(FrameType::kPing, kAck, 0, 0) +
                 FrameBytes(FrameType::kPing, kAck, 0, 1));
  EXPECT_THAT(client.Frames(), IsEmpty());
  EXPECT_EQ(client.session.NextDeadline(), before);
}

TEST(YamuxGoAwayTest, OfTheOtherSide) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.Receive(FrameBytes(FrameType::kGoAway, 0, 0, 0));
  const auto refused = client.session.Open();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("the other side"));
  // What there is goes on, its own streams too.
  client.Receive(DataBytes(stream, "on") + SynBytes(2));
  EXPECT_THAT(client.Take(), ElementsAre("data 1 on", "opened 2"));
  EXPECT_EQ(client.session.Send(stream, "too"), 3u);
  EXPECT_THAT(client.Frames(), ElementsAre("data 1 too"));
}

TEST(YamuxGoAwayTest, OfThisSide) {
  Side client(YamuxRole::kClient);
  const auto stream = client.Open();
  client.session.GoAway(GoAwayCode::kNormal);
  client.session.GoAway(GoAwayCode::kNormal);
  EXPECT_THAT(client.Frames(), ElementsAre("go-away 0 =0"));
  EXPECT_EQ(client.session.Open().status().code(),
            absl::StatusCode::kFailedPrecondition);
  client.Receive(DataBytes(2, "unwanted", kSyn) + DataBytes(stream, "on"));
  EXPECT_THAT(client.Take(), ElementsAre("data 1 on"));
  EXPECT_THAT(client.Frames(), ElementsAre("update RST 2 +0"));
}

TEST(YamuxGoAwayTest, SaysWithWhichCode) {
  Side client(YamuxRole::kClient);
  client.session.GoAway(GoAwayCode::kInternalError);
  EXPECT_THAT(client.Frames(), ElementsAre("go-away 0 =2"));
}

// ---- Cuts -------------------------------------------------------------------

// Frames of each kind; payloads that look like headers.
std::string Conversation() {
  return DataBytes(1, "first", kSyn) + SynBytes(3) +
         FrameBytes(FrameType::kPing, kSyn, 0, 77) +
         DataBytes(3, std::string(kFrameHeaderSize, '\0')) +
         DataBytes(9, "to nobody") + UpdateBytes(1, 0, 1000) +
         DataBytes(1, "last", kFin) + DataBytes(5, "", kSyn | kFin) +
         UpdateBytes(3, kRst) + DataBytes(3, "too late") +
         FrameBytes(FrameType::kGoAway, 0, 0, 0) + SynBytes(7);
}

struct Outcome {
  std::vector<std::string> events;
  std::vector<std::string> frames;
  std::uint32_t window;
};

Outcome Hear(const std::vector<absl::string_view>& pieces) {
  Side server(YamuxRole::kServer);
  for (const absl::string_view piece : pieces) server.Receive(piece);
  return {server.Take(), server.Frames(), server.session.SendWindow(1)};
}

void ExpectWhole(const Outcome& outcome) {
  EXPECT_THAT(outcome.events,
              ElementsAre("opened 1", "data 1 first", "opened 3",
                          "data 3 " + std::string(kFrameHeaderSize, '\0'),
                          "data 1 last", "finished 1", "opened 5", "finished 5",
                          "reset 3", "opened 7"));
  EXPECT_THAT(outcome.frames, ElementsAre("ping ACK 0 =77"));
  EXPECT_EQ(outcome.window, kWindow + 1000);
}

TEST(YamuxCutTest, InTwoAnywhere) {
  const std::string bytes = Conversation();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    const absl::string_view all(bytes);
    ExpectWhole(Hear({all.substr(0, cut), all.substr(cut)}));
  }
}

TEST(YamuxCutTest, InPiecesOfEachSize) {
  const std::string bytes = Conversation();
  for (size_t size = 1; size <= 2 * kFrameHeaderSize; ++size) {
    SCOPED_TRACE(size);
    std::vector<absl::string_view> pieces;
    for (size_t at = 0; at < bytes.size(); at += size) {
      pieces.push_back(absl::string_view(bytes).substr(at, size));
    }
    ExpectWhole(Hear(pieces));
  }
}

// A part of a payload is handed on before the rest has come.
TEST(YamuxCutTest, DataDoesNotWaitForTheRestOfItsFrame) {
  Side server(YamuxRole::kServer);
  server.Accepted(1);
  const std::string bytes = DataBytes(1, "hello", kFin);
  server.Receive(bytes.substr(0, kFrameHeaderSize + 2));
  EXPECT_THAT(server.Take(), ElementsAre("data 1 he"));
  server.Receive(bytes.substr(kFrameHeaderSize + 2));
  EXPECT_THAT(server.Take(), ElementsAre("data 1 llo", "finished 1"));
}

}  // namespace
}  // namespace goplugin::internal
