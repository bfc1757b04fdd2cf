#include "goplugin/internal/serve/lost_host.h"

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "gtest/gtest.h"

namespace goplugin::internal {
namespace {

constexpr absl::optional<HostSign> kNone = absl::nullopt;

// A host, and the clock that goes on while it is looked for.
class LostHostTest : public ::testing::Test {
 protected:
  // What comes of seeing `sign` now.
  bool GoneAfterSeeing(absl::optional<HostSign> sign) {
    verdict_ = host_.See(sign, now_);
    return verdict_.gone;
  }
  // Sees nothing until it is told that the host is gone: how long that takes.
  absl::Duration TimeToGone() {
    const absl::Duration start = now_;
    while (!GoneAfterSeeing(kNone)) now_ += verdict_.look_again;
    return now_ - start;
  }

  LostHost host_;
  LostHost::Verdict verdict_;
  absl::Duration now_ = absl::Hours(7);
};

TEST_F(LostHostTest, IsGoneAfterTwoSecondsWithoutASign) {
  EXPECT_EQ(TimeToGone(), absl::Seconds(2));
}

TEST_F(LostHostTest, AnySignSpeaksForItForAsLongAsItIsThere) {
  for (const HostSign sign :
       {HostSign::kReader, HostSign::kStarter, HostSign::kConnection}) {
    EXPECT_FALSE(GoneAfterSeeing(sign));
    // Nothing to do until it changes: an idle plugin sleeps.
    EXPECT_EQ(verdict_.look_again, absl::InfiniteDuration());
    now_ += absl::Hours(1);
    EXPECT_FALSE(GoneAfterSeeing(sign));
  }
}

// It has closed both pipes after the line, and has not called yet.
TEST_F(LostHostTest, AHostThatClosesThePipesAndLivesIsThere) {
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kReader));
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kStarter));
  now_ += absl::Hours(1);
  // It dies without having called.
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  EXPECT_EQ(TimeToGone(), absl::Seconds(2));
}

TEST_F(LostHostTest, AnIdleHourOnAConnectionIsNoEnd) {
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kConnection));
  now_ += absl::Hours(1);
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kConnection));
  now_ += absl::Hours(1);
  // The two seconds begin with the connection's end, not with the last look
  // before it.
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  EXPECT_EQ(TimeToGone(), absl::Seconds(2));
}

TEST_F(LostHostTest, ASignInTheLastMomentStartsTheTimeAgain) {
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  while (verdict_.look_again > absl::Milliseconds(1)) {
    now_ += verdict_.look_again - absl::Microseconds(250);
    EXPECT_FALSE(GoneAfterSeeing(kNone));
  }
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kConnection));
  now_ += absl::Seconds(10);
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  EXPECT_EQ(TimeToGone(), absl::Seconds(2));
}

// Stopped, or its machine suspended: the next look comes late, and tells no
// more than any other.
TEST_F(LostHostTest, OneLookIsNeverEnough) {
  EXPECT_FALSE(GoneAfterSeeing(HostSign::kReader));
  now_ += absl::Hours(12);
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  now_ += absl::Hours(12);
  EXPECT_FALSE(GoneAfterSeeing(kNone));
  EXPECT_EQ(TimeToGone(), absl::Milliseconds(1500));
}

}  // namespace
}  // namespace goplugin::internal
