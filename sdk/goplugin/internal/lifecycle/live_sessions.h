#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_

#include <memory>
#include <vector>

namespace goplugin::internal {

class Session;

// The sessions of this process, from their start on. Not for a forked child.
// Thread-safe.
class LiveSessions {
 public:
  static void Add(const std::shared_ptr<Session>& session);
  // Some may have ended meanwhile.
  static std::vector<std::shared_ptr<Session>> All();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_
