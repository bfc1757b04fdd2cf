#include "goplugin/internal/supervise/rollout.h"

namespace goplugin::internal {
namespace {

using Role = Generation::Role;
using Stage = Generation::Stage;
using Kind = Rollout::Step::Kind;

// One process more than there are replicas, never two.
bool IsUnderWay(const ReplicaSet& replicas) {
  for (const auto& [id, generation] : replicas.generations()) {
    if (generation.role == Role::kBeside) return true;
    const bool wanted = generation.slot < replicas.replicas();
    if (generation.role == Role::kLeaving && wanted) return true;
  }
  return false;
}

}  // namespace

void Rollout::Begin(int from, std::uint64_t first) {
  from_ = from;
  first_ = first;
  if (in_place_) to_ = from;
}

Rollout::Step Rollout::Next(ReplicaSet& replicas) const {
  if (IsUnderWay(replicas)) return {Kind::kWait};
  for (int slot = 0; slot < replicas.replicas(); ++slot) {
    const Step step =
        failure_.ok() ? Forward(replicas, slot) : Back(replicas, slot);
    if (step.kind != Kind::kDone) return step;
  }
  return {Kind::kDone};
}

Rollout::Step Rollout::Forward(ReplicaSet& replicas, int slot) const {
  const Generation* current = replicas.Find(slot, Role::kCurrent);
  const bool is_new =
      current != nullptr && current->id >= first_ && current->version == to_;
  if (is_new && current->stage == Stage::kUp) return {Kind::kDone};
  if (!in_place_) return {Kind::kBeside, slot, to_};
  const bool goes =
      current == nullptr || is_new || current->stage == Stage::kEnding;
  return {goes ? Kind::kWait : Kind::kLeave, slot, to_};
}

Rollout::Step Rollout::Back(ReplicaSet& replicas, int slot) const {
  const Generation* current = replicas.Find(slot, Role::kCurrent);
  const bool stays = in_place_ || current == nullptr ||
                     current->version != to_ || stuck_.count(slot) != 0;
  if (stays) return {Kind::kDone};
  return {Kind::kBeside, slot, from_};
}

void Rollout::OnFailure(const Generation& failed, const absl::Status& why) {
  if (!failure_.ok()) {
    if (failed.role == Role::kBeside) stuck_.insert(failed.slot);
    return;
  }
  const bool own = failed.id >= first_ && failed.version == to_;
  if (own) failure_ = why;
}

}  // namespace goplugin::internal
