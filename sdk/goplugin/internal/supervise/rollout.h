#ifndef GOPLUGIN_INTERNAL_SUPERVISE_ROLLOUT_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_ROLLOUT_H_

#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "goplugin/internal/supervise/decision.h"
#include "goplugin/internal/supervise/replica_set.h"

namespace goplugin::internal {

// A change of all replicas, one after the other: by Replace, which starts the
// new process beside the old one, or by Restart, which starts it afterwards.
// When one of a Replace fails, those that are changed already go back. Pure.
class Rollout {
 public:
  // What comes next.
  struct Step {
    enum class Kind {
      kWait,    // for something that is under way
      kBeside,  // start one of `version` beside `slot`'s
      kLeave,   // end `slot`'s, which is started again by itself
      kDone,
    };
    Kind kind = Kind::kWait;
    int slot = 0;
    int version = 0;
  };

  static Rollout Replace(Request request, int to) {
    return Rollout(request, to, /*in_place=*/false);
  }
  static Rollout Restart(Request request) {
    return Rollout(request, 0, /*in_place=*/true);
  }

  // Its turn has come: `from` is what there is, and generations from `first` on
  // are later.
  void Begin(int from, std::uint64_t first);
  Step Next(ReplicaSet& replicas) const;
  // `failed`, of any role but leaving, has.
  void OnFailure(const Generation& failed, const absl::Status& why);

  Request request() const { return request_; }
  bool in_place() const { return in_place_; }
  int to() const { return to_; }
  const absl::Status& failure() const { return failure_; }

 private:
  Rollout(Request request, int to, bool in_place)
      : request_(request), to_(to), in_place_(in_place) {}

  Step Forward(ReplicaSet& replicas, int slot) const;
  Step Back(ReplicaSet& replicas, int slot) const;

  Request request_;
  int from_ = 0;
  int to_;
  std::uint64_t first_ = 0;
  bool in_place_;
  // Why it goes back.
  absl::Status failure_;
  // Slots whose way back has failed: they keep what they have.
  std::set<int> stuck_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_ROLLOUT_H_
