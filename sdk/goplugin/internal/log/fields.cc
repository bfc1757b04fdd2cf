#include "goplugin/internal/log/fields.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/internal/log/level_name.h"
#include "goplugin/internal/log/timestamp.h"

namespace goplugin::internal {
namespace {

enum Role : size_t { kLevel, kMessage, kTime, kModule, kRoles };

struct RoleKey {
  absl::string_view key;
  Role role;
  int rank;  // of two keys for a role the lower one counts
};

constexpr RoleKey kHclogKeys[] = {
    {"@level", kLevel, 0},
    {"@message", kMessage, 0},
    {"@timestamp", kTime, 0},
    {"@module", kModule, 0},
};

constexpr RoleKey kOtherKeys[] = {
    {"level", kLevel, 1},     {"msg", kMessage, 1},    {"time", kTime, 1},
    {"logger", kModule, 1},   {"severity", kLevel, 2}, {"message", kMessage, 2},
    {"ts", kTime, 2},         {"module", kModule, 2},  {"lvl", kLevel, 3},
    {"event", kMessage, 3},   {"timestamp", kTime, 3}, {"levelname", kLevel, 4},
    {"log.level", kLevel, 5},
};

// The field chosen for each role.
class Choice {
 public:
  explicit Choice(const std::vector<Field>& fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].first[0] == '@') Match(fields[i].first, i, kHclogKeys);
    }
    if (Has(kLevel) || Has(kMessage)) return;
    for (size_t i = 0; i < fields.size(); ++i) {
      Match(fields[i].first, i, kOtherKeys);
    }
  }

  bool Has(Role role) const { return index_[role] != kNone; }
  size_t operator[](Role role) const { return index_[role]; }
  void Drop(Role role) { index_[role] = kNone; }
  size_t count() const {
    return kRoles - std::count(index_.begin(), index_.end(), kNone);
  }
  bool Uses(size_t index) const {
    for (const size_t used : index_) {
      if (used == index) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  static constexpr int kUnranked = 100;

  template <size_t Count>
  void Match(absl::string_view key, size_t index,
             const RoleKey (&keys)[Count]) {
    for (const RoleKey& known : keys) {
      if (key == known.key) Offer(known, index);
    }
  }

  void Offer(const RoleKey& known, size_t index) {
    if (known.rank >= rank_[known.role]) return;
    rank_[known.role] = known.rank;
    index_[known.role] = index;
  }

  std::array<size_t, kRoles> index_ = {kNone, kNone, kNone, kNone};
  std::array<int, kRoles> rank_ = {kUnranked, kUnranked, kUnranked, kUnranked};
};

absl::optional<LogLevel> LevelOf(absl::string_view value) {
  int number = 0;
  if (absl::SimpleAtoi(value, &number)) return ParseLevelNumber(number);
  return ParseLevelName(value);
}

absl::optional<absl::Time> TimeOf(absl::string_view value) {
  double number = 0;
  if (absl::optional<absl::Time> time = ParseTimestamp(value)) return time;
  if (absl::SimpleAtod(value, &number)) return TimeFromNumber(number);
  return absl::nullopt;
}

}  // namespace

bool FillFromFields(std::vector<Field>& fields, LogEntry* entry,
                    bool* has_level) {
  Choice choice(fields);
  absl::optional<LogLevel> level;
  if (choice.Has(kLevel)) level = LevelOf(fields[choice[kLevel]].second);
  if (!level) choice.Drop(kLevel);
  if (!level && !choice.Has(kMessage)) return false;

  *has_level = level.has_value();
  if (level) entry->level = *level;
  if (choice.Has(kTime)) {
    entry->timestamp = TimeOf(fields[choice[kTime]].second);
    if (!entry->timestamp) choice.Drop(kTime);
  }
  if (choice.Has(kMessage)) {
    entry->message = std::move(fields[choice[kMessage]].second);
    absl::StripTrailingAsciiWhitespace(&entry->message);
  }
  if (choice.Has(kModule)) {
    entry->module = std::move(fields[choice[kModule]].second);
  }
  entry->fields.reserve(fields.size() - choice.count());
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!choice.Uses(i)) entry->fields.push_back(std::move(fields[i]));
  }
  return true;
}

}  // namespace goplugin::internal
