#ifndef GOPLUGIN_INTERNAL_BROKER_PENDING_TABLE_H_
#define GOPLUGIN_INTERNAL_BROKER_PENDING_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/endpoint.h"

namespace goplugin::internal {

// Announcements that came before anybody dialled their id. Each is kept for a
// while, and not more than a number of them: the other side may announce what
// nobody wants. So nothing is connected to from here: that is the dial's to do.
//
// Pure: time is a parameter, measured from any fixed moment, and never runs
// backwards. Not thread-safe.
class PendingTable {
 public:
  static constexpr size_t kMaxKept = 1024;

  // Where an id leads, or why it can't be dialled.
  using Announcement = absl::StatusOr<Endpoint>;

  explicit PendingTable(absl::Duration keep) : keep_(keep) {}

  // Keeps `announcement`, in place of an older one of the same id. False when
  // the oldest had to go to make room.
  bool Add(std::uint32_t id, Announcement announcement, absl::Duration now);
  // The announcement of `id`, which is then forgotten; nullopt when none came,
  // or it was too long ago.
  absl::optional<Announcement> Take(std::uint32_t id, absl::Duration now);

  size_t size() const { return kept_.size(); }
  // Some of the ids that are kept, the oldest first.
  std::vector<std::uint32_t> Ids(size_t most) const;

 private:
  struct Kept {
    std::uint32_t id;
    Announcement announcement;
    absl::Duration until;
  };
  using List = std::list<Kept>;

  void Expire(absl::Duration now);
  void DropOldest();

  const absl::Duration keep_;
  List kept_;  // in the order of arrival, which is that of expiry
  std::unordered_map<std::uint32_t, List::iterator> by_id_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_BROKER_PENDING_TABLE_H_
