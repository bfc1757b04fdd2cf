#include "goplugin/internal/broker/pending_table.h"

#include <utility>

namespace goplugin::internal {

bool PendingTable::Add(std::uint32_t id, Announcement announcement,
                       absl::Duration now) {
  Expire(now);
  if (auto found = by_id_.find(id); found != by_id_.end()) {
    kept_.erase(found->second);
    by_id_.erase(found);
  }
  const bool room = kept_.size() < kMaxKept;
  if (!room) DropOldest();
  kept_.push_back({id, std::move(announcement), now + keep_});
  by_id_[id] = std::prev(kept_.end());
  return room;
}

absl::optional<PendingTable::Announcement> PendingTable::Take(
    std::uint32_t id, absl::Duration now) {
  Expire(now);
  auto found = by_id_.find(id);
  if (found == by_id_.end()) return absl::nullopt;
  Announcement announcement = std::move(found->second->announcement);
  kept_.erase(found->second);
  by_id_.erase(found);
  return announcement;
}

std::vector<std::uint32_t> PendingTable::Ids(size_t most) const {
  std::vector<std::uint32_t> ids;
  for (const Kept& kept : kept_) {
    if (ids.size() == most) break;
    ids.push_back(kept.id);
  }
  return ids;
}

void PendingTable::Expire(absl::Duration now) {
  while (!kept_.empty() && kept_.front().until <= now) DropOldest();
}

void PendingTable::DropOldest() {
  by_id_.erase(kept_.front().id);
  kept_.pop_front();
}

}  // namespace goplugin::internal
