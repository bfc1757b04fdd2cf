#ifndef GOPLUGIN_INTERNAL_SUPERVISE_REPLICA_SET_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_REPLICA_SET_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "goplugin/internal/supervise/backoff.h"
#include "goplugin/internal/supervise/health_judge.h"

namespace goplugin::internal {

// One process of a replica, from the decision to start it until nothing of it
// is left.
struct Generation {
  enum class Role {
    kCurrent,  // the replica
    kBeside,   // to take its place, once it is ready
    kLeaving,  // on its way out, and no failure any more
  };
  //   kStarting -> kPreparing -> kChecking -> kUp -> kDraining -> kEnding
  // and from each to kEnding, or to its erasure where nothing is left of it.
  enum class Stage {
    kStarting,
    kPreparing,
    kChecking,
    kUp,
    kDraining,
    kEnding
  };

  std::uint64_t id = 0;  // grows with each start of this supervisor
  int slot = 0;          // which replica
  int version = 0;       // which source
  Role role = Role::kCurrent;
  Stage stage = Stage::kStarting;
  // The one start that the open breaker lets through.
  bool probe = false;
  // Calls may go to it.
  bool used = false;
  // When its stage is over at the latest.
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration up_since = absl::ZeroDuration();
  // When its health is asked for next; not while it is asked.
  absl::Duration check_at = absl::InfiniteDuration();
  bool checking = false;
  HealthJudge health;

  bool coming() const { return stage < Stage::kUp; }
};

// The place of a replica, which its generations fill one after the other.
struct Slot {
  Backoff backoff;
  // A generation may start from then on, when the slot is empty.
  absl::Duration start_at = absl::ZeroDuration();
  // The next start is one after a failure; how many there were.
  bool failed = false;
  int restarts = 0;
  absl::Status last_failure;
};

// What there is. Pure.
class ReplicaSet {
 public:
  // How many slots are wanted. Those beyond stay while something is in them.
  void Resize(int replicas);
  int replicas() const { return replicas_; }
  Slot& slot(int index) { return slots_[static_cast<size_t>(index)]; }
  const Slot& slot(int index) const {
    return slots_[static_cast<size_t>(index)];
  }

  Generation& Add(int slot, int version, Generation::Role role);
  // Null for one that is gone.
  Generation* Find(std::uint64_t id);
  // The slot's one in this role; null when there is none. Of several that are
  // leaving, any.
  Generation* Find(int slot, Generation::Role role);
  void Erase(std::uint64_t id) { generations_.erase(id); }

  // Wanted, and nothing is in it.
  bool IsVacant(int slot) const;
  bool empty() const { return generations_.empty(); }
  // By id.
  std::map<std::uint64_t, Generation>& generations() { return generations_; }
  const std::map<std::uint64_t, Generation>& generations() const {
    return generations_;
  }
  std::uint64_t next_id() const { return next_id_; }

 private:
  int replicas_ = 0;
  std::vector<Slot> slots_;
  std::map<std::uint64_t, Generation> generations_;
  std::uint64_t next_id_ = 1;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_REPLICA_SET_H_
