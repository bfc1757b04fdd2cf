#ifndef GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_
#define GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_

#include <memory>
#include <vector>

namespace goplugin::internal {

class Session;

// The sessions of this process that may have to be ended by others. Not for a
// forked child. Thread-safe.
class LiveSessions {
 public:
  // False once the process exits: then it was not added, and is not to begin.
  static bool Add(const std::shared_ptr<Session>& session);
  // Some may have ended meanwhile. Once the process exits none comes later.
  static std::vector<std::shared_ptr<Session>> All();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_LIFECYCLE_LIVE_SESSIONS_H_
