// Two sessions, joined by two pipes that deliver when they like and cut where
// they like, and two owners that do anything at any time. Each schedule follows
// from its seed: GOPLUGIN_MODEL_SEED=N runs that one only.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "goplugin/internal/mux/byte_queue.h"
#include "goplugin/internal/mux/yamux_session.h"
#include "tests/unit/mux/model_owner.h"

namespace goplugin::internal {
namespace {

constexpr std::uint64_t kSchedules = 20000;
// Streams at once in some schedules: more than the backlog.
constexpr size_t kMany = YamuxSession::kBacklog + 20;
// More than anything takes that is not stuck.
constexpr int kManyRounds = 100;

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed)
      : world_(seed), sides_{{{world_, 0}, {world_, 1}}} {
    sides_[0].set_other(sides_[1]);
    sides_[1].set_other(sides_[0]);
    // Most with little data, as that is quick; some past the window.
    constexpr std::array<std::uint32_t, 16> kSizes = {
        8,   8,   8,    300,  300,  300,  300,   300,
        300, 300, 5000, 5000, 5000, 5000, 70000, 500000};
    world_.most = kSizes.at(Below(kSizes.size()));
  }

  // "" or what went wrong.
  std::string Run() {
    const bool many = OneIn(100);
    if (many) {
      world_.most = 300;
      world_.accepts_late = true;
      Open(kMany);
    }
    for (std::uint32_t left = Below(160); left > 0 && Good(); --left) {
      Step(static_cast<int>(Below(2)));
    }
    if (OneIn(20)) {
      StandStill(static_cast<int>(Below(2)));
    }
    Drain();
    Again(many ? YamuxSession::kBacklog : 1);
    return world_.failure;
  }

 private:
  std::uint32_t Below(std::uint32_t end) { return world_.random.Below(end); }
  bool OneIn(std::uint32_t count) { return world_.random.OneIn(count); }
  bool Good() const { return world_.failure.empty(); }
  YamuxSession& session(int side) { return sides_.at(side).session(); }

  void Step(int side) {
    ModelOwner& owner = sides_.at(side);
    const std::uint32_t what = Below(200);
    if (what < 50) return Flush(side, Cut());
    if (what < 100) return Deliver(side, Cut());
    if (what < 115) return owner.Open();
    if (what < 145) return owner.Write();
    if (what < 165) return owner.Consume();
    if (what < 177) return owner.Decide();
    if (what < 187) return owner.Close();
    if (what < 195) return owner.Reset();
    if (what < 198) return PassTime();
    if (what < 199 && OneIn(3)) return owner.GoAway();
  }

  // How much of what waits goes on: a bit of a header, a bit of data, all.
  size_t Cut() {
    constexpr std::array<std::uint32_t, 4> kMost = {3, 40, 70000, 1U << 30U};
    return Below(kMost.at(Below(kMost.size()))) + 1;
  }

  void Flush(int side, size_t most) {
    const absl::string_view bytes = session(side).output().substr(0, most);
    pipes_.at(side).Append(bytes);
    session(side).RemoveOutput(bytes.size());
  }

  // From `side` to the other one.
  void Deliver(int side, size_t most) {
    ByteQueue& pipe = pipes_.at(side);
    const absl::string_view bytes = pipe.bytes().substr(0, most);
    const absl::Status status = session(1 - side).Receive(bytes);
    world_.Check(status.ok(), status.ToString());
    pipe.RemovePrefix(bytes.size());
  }

  bool Quiet() {
    return pipes_[0].empty() && pipes_[1].empty() &&
           session(0).output().empty() && session(1).output().empty();
  }

  // All that is under way arrives.
  void Settle() {
    for (int i = 0; !Quiet() && Good(); ++i) {
      world_.Check(i < kManyRounds, "no end of answers to answers");
      for (const int side : {0, 1}) {
        Flush(side, absl::string_view::npos);
        Deliver(side, absl::string_view::npos);
      }
    }
  }

  // Everybody does what is left to do.
  void Drain() {
    for (int i = 0; Good(); ++i) {
      if (Quiet()) {
        for (ModelOwner& side : sides_) side.CheckWindows();
      }
      for (ModelOwner& side : sides_) side.FinishAll();
      if (Quiet()) break;
      world_.Check(i < kManyRounds, "no end");
      Settle();
    }
    for (ModelOwner& side : sides_) side.CheckEnd();
  }

  void Open(size_t count) {
    for (ModelOwner& side : sides_) {
      for (size_t i = 0; i < count; ++i) side.Open();
    }
  }

  // After all this, new streams work as the first did, or still don't.
  void Again(size_t count) {
    const bool gone = sides_[0].gone_away() || sides_[1].gone_away();
    const size_t before = world_.streams.size();
    Open(count);
    world_.Check(world_.streams.size() == before + (gone ? 0 : 2 * count),
                 "other streams opened than may be");
    Drain();
  }

  void PassTime() {
    constexpr std::array<int, 4> kSeconds = {1, 20, 70, 330};
    const absl::Duration end =
        world_.now + absl::Seconds(kSeconds.at(Below(kSeconds.size())));
    for (int i = 0; world_.now < end && Good(); ++i) {
      world_.Check(i < kManyRounds, "a deadline that stays");
      for (ModelOwner& side : sides_) side.AcceptAll();
      Settle();
      world_.now =
          std::min({end, session(0).NextDeadline(), session(1).NextDeadline()});
      for (ModelOwner& side : sides_) {
        side.session().Advance(world_.now);
        side.CheckHalfClosed();
      }
    }
  }

  // One side stands still: its time does not pass, and it reads nothing.
  void StandStill(int side) {
    const absl::Duration end = world_.now + absl::Minutes(10);
    for (int i = 0; world_.now < end && Good(); ++i) {
      world_.Check(i < kManyRounds, "a deadline that stays");
      world_.now = std::min(end, session(1 - side).NextDeadline());
      session(1 - side).Advance(world_.now);
      Flush(1 - side, absl::string_view::npos);
    }
    session(side).Advance(world_.now);
  }

  ModelWorld world_;
  std::array<ModelOwner, 2> sides_;
  // What each side has written and the other not read.
  std::array<ByteQueue, 2> pipes_;
};

TEST(YamuxModelTest, Schedules) {
  const char* only = getenv("GOPLUGIN_MODEL_SEED");
  std::uint64_t first = 0;
  std::uint64_t end = kSchedules;
  if (only != nullptr && absl::SimpleAtoi(only, &first)) end = first + 1;
  for (std::uint64_t seed = first; seed < end; ++seed) {
    ASSERT_EQ(Schedule(seed).Run(), "") << "GOPLUGIN_MODEL_SEED=" << seed;
  }
}

}  // namespace
}  // namespace goplugin::internal
