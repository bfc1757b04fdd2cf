// The order in which streams are opened and given away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/time/time.h"
#include "goplugin/internal/mux/incoming_knocks.h"
#include "goplugin/internal/mux/outgoing_knocks.h"

namespace goplugin::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ack = OutgoingKnocks::Verdict;
using Knock = IncomingKnocks::Verdict;

constexpr absl::Duration kNow = absl::Seconds(100);

// ---- Outgoing ---------------------------------------------------------------

class OutgoingKnocksTest : public ::testing::Test {
 protected:
  // The next step is to knock at `id` for `request`.
  void ExpectKnock(OutgoingKnocks::Request request,
                   OutgoingKnocks::ServiceId id) {
    const auto step = knocks_.Next();
    ASSERT_TRUE(step.has_value());
    EXPECT_EQ(step->request, request);
    EXPECT_EQ(step->knock, id);
  }

  OutgoingKnocks knocks_;
};

TEST_F(OutgoingKnocksTest, NothingToDo) {
  EXPECT_FALSE(knocks_.Next().has_value());
}

TEST_F(OutgoingKnocksTest, TheMainServerNeedsNoKnock) {
  knocks_.Add(1, absl::nullopt);
  const auto step = knocks_.Next();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->request, 1u);
  EXPECT_FALSE(step->knock.has_value());
  EXPECT_FALSE(knocks_.knocked().has_value());
}

TEST_F(OutgoingKnocksTest, OneAtATimeInOrder) {
  knocks_.Add(1, 11);
  knocks_.Add(2, absl::nullopt);
  knocks_.Add(3, 13);
  ExpectKnock(1, 11);
  EXPECT_FALSE(knocks_.Next().has_value()) << "a knock is unanswered";
  EXPECT_EQ(knocks_.OnAck(11), Ack::kOpen);
  EXPECT_EQ(knocks_.finished(), 1u);
  EXPECT_EQ(knocks_.Next()->request, 2u);
  ExpectKnock(3, 13);
}

TEST_F(OutgoingKnocksTest, ARefusalMakesRoom) {
  knocks_.Add(1, 11);
  knocks_.Add(2, 12);
  ExpectKnock(1, 11);
  EXPECT_EQ(knocks_.OnRefusal(11), 1u);
  ExpectKnock(2, 12);
}

TEST_F(OutgoingKnocksTest, AnswersForOthersChangeNothing) {
  knocks_.Add(1, 11);
  ExpectKnock(1, 11);
  EXPECT_EQ(knocks_.OnAck(12), Ack::kUnexpected);
  EXPECT_EQ(knocks_.OnRefusal(12), absl::nullopt);
  EXPECT_FALSE(knocks_.Next().has_value());
  EXPECT_EQ(knocks_.OnAck(11), Ack::kOpen);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kUnexpected) << "twice";
}

TEST_F(OutgoingKnocksTest, ALateAckIsAStreamThrownAway) {
  knocks_.Add(1, 11);
  ExpectKnock(1, 11);
  knocks_.Abandon(1);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kThrowAway);
  knocks_.Add(2, 12);
  ExpectKnock(2, 12);
  EXPECT_EQ(knocks_.OnAck(12), Ack::kOpen);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kUnexpected) << "one stream per ack";
}

TEST_F(OutgoingKnocksTest, AKnockThatALateAckCrossesIsRepeated) {
  knocks_.Add(1, 11);
  knocks_.Add(2, 12);
  knocks_.Add(3, 13);
  ExpectKnock(1, 11);
  knocks_.Abandon(1);
  ExpectKnock(2, 12);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kThrowAway);
  EXPECT_EQ(knocks_.OnAck(12), Ack::kThrowAway) << "11 may have taken it";
  ExpectKnock(2, 12);
  EXPECT_EQ(knocks_.OnAck(12), Ack::kOpen);
  EXPECT_EQ(knocks_.finished(), 2u);
  ExpectKnock(3, 13);
  EXPECT_EQ(knocks_.OnAck(13), Ack::kOpen);
}

TEST_F(OutgoingKnocksTest, ACrossedKnockThatIsRefusedCrossesNoOther) {
  knocks_.Add(1, 11);
  knocks_.Add(2, 12);
  ExpectKnock(1, 11);
  knocks_.Abandon(1);
  ExpectKnock(2, 12);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kThrowAway);
  EXPECT_EQ(knocks_.OnRefusal(12), 2u);
  knocks_.Add(3, 13);
  ExpectKnock(3, 13);
  EXPECT_EQ(knocks_.OnAck(13), Ack::kOpen);
}

TEST_F(OutgoingKnocksTest, ALateRefusalNeedsNoStream) {
  knocks_.Add(1, 11);
  ExpectKnock(1, 11);
  knocks_.Abandon(1);
  EXPECT_EQ(knocks_.OnRefusal(11), absl::nullopt);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kUnexpected);
}

TEST_F(OutgoingKnocksTest, AnotherKnockAtAnIdThatWasGivenUp) {
  knocks_.Add(1, 11);
  ExpectKnock(1, 11);
  knocks_.Abandon(1);
  knocks_.Add(2, 11);
  ExpectKnock(2, 11);
  // Two knocks, two acks, two streams; the first is as good as the second.
  EXPECT_EQ(knocks_.OnAck(11), Ack::kOpen);
  EXPECT_EQ(knocks_.finished(), 2u);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kThrowAway);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kUnexpected);
}

TEST_F(OutgoingKnocksTest, WhoWaitsInLineMayLeave) {
  knocks_.Add(1, 11);
  knocks_.Add(2, 12);
  knocks_.Add(3, 13);
  ExpectKnock(1, 11);
  knocks_.Abandon(2);
  knocks_.Abandon(7);
  EXPECT_EQ(knocks_.OnAck(11), Ack::kOpen);
  ExpectKnock(3, 13);
  EXPECT_EQ(knocks_.OnAck(12), Ack::kUnexpected) << "it never knocked";
}

// ---- Incoming ---------------------------------------------------------------

class IncomingKnocksTest : public ::testing::Test {
 protected:
  IncomingKnocks knocks_;
};

TEST_F(IncomingKnocksTest, StreamsGoToTheAcknowledgedInOrder) {
  EXPECT_FALSE(knocks_.Serve(1));
  EXPECT_FALSE(knocks_.Serve(2));
  EXPECT_EQ(knocks_.TakePromised(), absl::nullopt);
  EXPECT_EQ(knocks_.OnKnock(2, kNow), Knock::kAck);
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kAck);
  EXPECT_EQ(knocks_.OnKnock(2, kNow), Knock::kAck);
  EXPECT_EQ(knocks_.TakePromised(), 2u);
  EXPECT_EQ(knocks_.TakePromised(), 1u);
  EXPECT_EQ(knocks_.TakePromised(), 2u);
  EXPECT_EQ(knocks_.TakePromised(), absl::nullopt);
}

TEST_F(IncomingKnocksTest, AnEarlyKnockIsAcknowledgedLater) {
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kWait);
  EXPECT_EQ(knocks_.TakePromised(), absl::nullopt) << "nothing promised yet";
  EXPECT_TRUE(knocks_.Serve(1));
  EXPECT_EQ(knocks_.TakePromised(), 1u);
  EXPECT_EQ(knocks_.NextDeadline(), absl::InfiniteDuration());
}

TEST_F(IncomingKnocksTest, AndRefusedBeforeItsDiallerGivesUp) {
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kWait);
  EXPECT_EQ(knocks_.OnKnock(2, kNow + absl::Seconds(1)), Knock::kWait);
  const absl::Duration due = kNow + IncomingKnocks::kPatience;
  EXPECT_LT(IncomingKnocks::kPatience, absl::Seconds(5));
  EXPECT_EQ(knocks_.NextDeadline(), due);
  EXPECT_THAT(knocks_.TakeExpired(due - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(knocks_.TakeExpired(due), ElementsAre(1u));
  EXPECT_FALSE(knocks_.Serve(1)) << "it is too late";
  EXPECT_TRUE(knocks_.Serve(2));
}

TEST_F(IncomingKnocksTest, WithdrawnIdsWaitAgain) {
  knocks_.Serve(1);
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kAck);
  knocks_.Withdraw(1);
  // The other side will open the stream all the same: it must not go to the
  // next one.
  EXPECT_EQ(knocks_.TakePromised(), 1u);
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kWait);
}

TEST_F(IncomingKnocksTest, TwiceAtOneIdIsRefused) {
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kWait);
  EXPECT_EQ(knocks_.OnKnock(1, kNow), Knock::kRefuse);
  EXPECT_TRUE(knocks_.Serve(1)) << "the first one still waits";
}

TEST_F(IncomingKnocksTest, Bounds) {
  for (std::uint32_t id = 1; id <= IncomingKnocks::kMaxWaiting; ++id) {
    ASSERT_EQ(knocks_.OnKnock(id, kNow), Knock::kWait);
  }
  EXPECT_EQ(knocks_.OnKnock(99999, kNow), Knock::kRefuse);
  knocks_.Serve(99999);
  for (size_t i = 0; i < IncomingKnocks::kMaxPromised; ++i) {
    ASSERT_EQ(knocks_.OnKnock(99999, kNow), Knock::kAck);
  }
  EXPECT_EQ(knocks_.OnKnock(99999, kNow), Knock::kRefuse);
  EXPECT_EQ(knocks_.TakePromised(), 99999u);
  EXPECT_EQ(knocks_.OnKnock(99999, kNow), Knock::kAck);
}

}  // namespace
}  // namespace goplugin::internal
