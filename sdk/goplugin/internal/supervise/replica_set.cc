#include "goplugin/internal/supervise/replica_set.h"

#include <algorithm>

namespace goplugin::internal {

void ReplicaSet::Resize(int replicas) {
  replicas_ = replicas;
  slots_.resize(std::max(slots_.size(), static_cast<size_t>(replicas)));
}

Generation& ReplicaSet::Add(int slot, int version, Generation::Role role) {
  Generation& added = generations_[next_id_];
  added.id = next_id_++;
  added.slot = slot;
  added.version = version;
  added.role = role;
  return added;
}

Generation* ReplicaSet::Find(std::uint64_t id) {
  const auto found = generations_.find(id);
  return found == generations_.end() ? nullptr : &found->second;
}

Generation* ReplicaSet::Find(int slot, Generation::Role role) {
  for (auto& [id, generation] : generations_) {
    if (generation.slot == slot && generation.role == role) return &generation;
  }
  return nullptr;
}

bool ReplicaSet::IsVacant(int slot) const {
  if (slot >= replicas_) return false;
  return std::none_of(
      generations_.begin(), generations_.end(),
      [slot](const auto& entry) { return entry.second.slot == slot; });
}

}  // namespace goplugin::internal
