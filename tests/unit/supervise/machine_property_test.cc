// Random events in random order: what must hold whatever happens.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"
#include "tests/unit/supervise/machine_world.h"

namespace goplugin::testing {
namespace {

using Reply = MachineWorld::Reply;
using internal::HealthAnswer;

// One supervisor's life of random events. The seed is all there is to repeat
// it.
class RandomLife {
 public:
  explicit RandomLife(std::uint32_t seed)
      : dice_(seed), options_(RandomOptions()), world_(options_) {
    world_.launches = Reply::kNever;
    world_.preparations = Reply::kNever;
    world_.ends = Reply::kNever;
    world_.answers_health = false;
    world_.Begin();
  }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      Step();
      Check();
    }
    End();
  }

 private:
  int Roll(int sides) {
    return std::uniform_int_distribution<int>(0, sides - 1)(dice_);
  }
  template <typename Value>
  Value OneOf(std::vector<Value> values) {
    return values[static_cast<size_t>(Roll(static_cast<int>(values.size())))];
  }

  SupervisorOptions RandomOptions() {
    SupervisorOptions options;
    options.replicas = 1 + Roll(4);
    options.start = OneOf<StartMode>({StartMode::kEager, StartMode::kLazy});
    options.idle_timeout = OneOf<absl::Duration>(
        {absl::InfiniteDuration(), absl::Seconds(1), absl::Minutes(1)});
    options.restart.initial = absl::Milliseconds(OneOf<int>({0, 1, 100}));
    options.restart.max = absl::Seconds(OneOf<int>({1, 30}));
    options.restart.intensity = Roll(7);
    options.restart.period = absl::Seconds(OneOf<int>({1, 60}));
    options.restart.cool_down = OneOf<absl::Duration>(
        {absl::ZeroDuration(), absl::Seconds(5), absl::InfiniteDuration()});
    options.restart.steady = absl::Seconds(OneOf<int>({0, 1, 60}));
    options.health.interval = OneOf<absl::Duration>(
        {absl::Seconds(1), absl::Seconds(10), absl::InfiniteDuration()});
    options.health.failures = 1 + Roll(3);
    options.drain_timeout = absl::Seconds(Roll(5));
    options.prepare_timeout = absl::Seconds(1 + Roll(5));
    if (Roll(2) == 0) {
      options.prepare = [](Client&, std::chrono::system_clock::time_point) {
        return absl::OkStatus();
      };
    }
    return options;
  }

  MachineWorld::Process* Anybody() {
    if (world_.live.empty()) return nullptr;
    auto found = world_.live.begin();
    std::advance(found, Roll(static_cast<int>(world_.live.size())));
    return &found->second;
  }

  void Step() {
    world_.random = Roll(1001) / 1000.0;
    world_.unhealable = Roll(20) == 0;
    switch (Roll(24)) {
      case 0:
        return Ask([this](internal::Request request) {
          world_.machine.Replace(world_.now, request, ++version_);
        });
      case 1:
        return Ask([this](internal::Request request) {
          world_.machine.Restart(world_.now, request);
        });
      case 2:
        asked_at_ = world_.now;
        replicas_ = 1 + Roll(5);
        world_.machine.Scale(world_.now, replicas_);
        return world_.Pump();
      case 3:
        asked_at_ = world_.now;
        world_.machine.Want(world_.now);
        return world_.Pump();
      case 4:
        world_.now += absl::Hours(1);
        return world_.Advance(absl::ZeroDuration());
      case 5:
      case 6:
      case 7:
        return world_.Advance(
            absl::Milliseconds(OneOf<int>({0, 1, 10, 150, 1000, 20000})));
      case 8:
        if (Roll(100) == 0) Shutdown();
        return;
      default:
        return Live();
    }
  }

  // Something happens to somebody.
  void Live() {
    MachineWorld::Process* const process = Anybody();
    if (process == nullptr) return;
    const std::uint64_t id = process->id;
    if (process->ending) {
      if (!process->launched) return world_.StartFails(id);
      return Roll(3) == 0 ? world_.Exit(id) : world_.Ended(id);
    }
    if (!process->launched) {
      return Roll(4) == 0 ? world_.StartFails(id) : world_.Launched(id);
    }
    process->activity.under_way = process->used ? Roll(3) : 0;
    process->activity.heard += static_cast<std::uint64_t>(Roll(2));
    if (process->checking) {
      return world_.Health(
          id, OneOf<HealthAnswer>({HealthAnswer::kServing,
                                   HealthAnswer::kServing, HealthAnswer::kNone,
                                   HealthAnswer::kNotServing}));
    }
    if (process->asked_to_prepare && Roll(2) == 0) {
      return world_.Prepared(id, Roll(6) != 0);
    }
    if (Roll(6) == 0) world_.Exit(id);
  }

  template <typename What>
  void Ask(What what) {
    asked_at_ = world_.now;
    what(++last_request_);
    world_.Pump();
  }

  void Shutdown() {
    shut_down_ = true;
    Ask([this](internal::Request request) {
      world_.machine.Shutdown(world_.now, request);
    });
  }

  void Check() {
    ASSERT_TRUE(world_.offences.empty()) << world_.offences.front();
    CheckSlots();
    CheckStarts();
    CheckLook();
    if (shut_down_) {
      if (starts_at_end_ == 0) starts_at_end_ = world_.starts.size() + 1;
      ASSERT_EQ(world_.starts.size() + 1, starts_at_end_);
      ASSERT_EQ(world_.machine.state(), SupervisorState::kStopped);
      for (const auto& [id, process] : world_.live) {
        ASSERT_TRUE(process.ending);
      }
    }
  }

  // One process for each replica, and two only where one takes the other's
  // place.
  void CheckSlots() {
    using Role = internal::Generation::Role;
    std::map<int, int> living;
    std::map<int, bool> replaced;
    for (const auto& [id, generation] :
         world_.machine.replicas().generations()) {
      ASSERT_EQ(world_.live.count(id), 1u);
      ++living[generation.slot];
      // What Scale and idle_timeout take away may be any number.
      if (generation.role != Role::kLeaving) replaced[generation.slot] = true;
    }
    ASSERT_EQ(world_.machine.replicas().generations().size(),
              world_.live.size());
    int extra = 0;
    for (const auto& [slot, count] : living) {
      ASSERT_LE(count, 2) << "in slot " << slot;
      if (replaced[slot]) extra += count - 1;
    }
    const bool changing = world_.answers.size() < last_request_;
    ASSERT_LE(extra, changing || shut_down_ ? 1 : 0);
  }

  // Restarts are as few as the policy says, where nobody asked for one.
  void CheckStarts() {
    for (; seen_ < world_.starts.size(); ++seen_) {
      if (world_.starts[seen_].when == asked_at_ || replicas_ != 1) {
        free_.clear();
      }
      free_.push_back(world_.starts[seen_].when);
    }
    const bool rolling = world_.answers.size() < last_request_;
    if (rolling || world_.machine.state() == SupervisorState::kStopped) {
      return free_.clear();
    }
    const auto most = static_cast<size_t>(options_.restart.intensity) + 1;
    if (replicas_ != 1 || free_.size() <= most) return;
    const absl::Duration span = free_.back() - free_[free_.size() - 1 - most];
    ASSERT_GE(span, options_.restart.period)
        << "more than " << most << " starts in a period";
  }

  // It is never busy with itself.
  void CheckLook() {
    world_.Advance(absl::ZeroDuration());
    ASSERT_GT(world_.machine.next_look(), world_.now);
  }

  void End() {
    if (!shut_down_) Shutdown();
    for (int i = 0; i < 10000 && !world_.live.empty(); ++i) Live();
    Check();
    ASSERT_TRUE(world_.live.empty()) << "something was never ended";
    ASSERT_EQ(world_.answers.size(), last_request_) << "not all were answered";
    ASSERT_EQ(world_.machine.next_look(), absl::InfiniteDuration());
  }

  std::mt19937 dice_;
  const SupervisorOptions options_;
  MachineWorld world_;
  int replicas_ = options_.replicas;
  int version_ = 0;
  internal::Request last_request_ = 1;
  bool shut_down_ = false;
  size_t starts_at_end_ = 0;
  // Starts since something was asked for.
  size_t seen_ = 0;
  std::vector<absl::Duration> free_;
  absl::Duration asked_at_ = absl::ZeroDuration();
};

TEST(MachinePropertyTest, HoldsWhateverHappens) {
  // GOPLUGIN_SEED=N repeats one life.
  const char* const given = std::getenv("GOPLUGIN_SEED");
  const std::uint32_t first =
      given != nullptr ? static_cast<std::uint32_t>(std::stoul(given)) : 1;
  const std::uint32_t lives = given != nullptr ? 1 : 400;
  for (std::uint32_t seed = first; seed < first + lives; ++seed) {
    SCOPED_TRACE("GOPLUGIN_SEED=" + std::to_string(seed));
    RandomLife(seed).Run(400);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace goplugin::testing
