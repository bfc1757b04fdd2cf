#include "goplugin/internal/serve/lost_host.h"

#include <algorithm>

namespace goplugin::internal {
namespace {

// Without a sign nothing tells of the next one.
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);

}  // namespace

LostHost::Verdict LostHost::See(absl::optional<HostSign> sign,
                                absl::Duration now) {
  if (sign.has_value()) {
    last_look_ = absl::nullopt;
    quiet_ = absl::ZeroDuration();
    return {};
  }
  if (last_look_.has_value()) quiet_ += std::min(now - *last_look_, kLookAgain);
  last_look_ = now;
  const absl::Duration left = kQuiet - quiet_;
  return {left <= absl::ZeroDuration(), std::min(left, kLookAgain)};
}

}  // namespace goplugin::internal
