#ifndef GOPLUGIN_INTERNAL_SUPERVISE_ROUTER_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_ROUTER_H_

#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_target.h"

namespace goplugin::internal {

// Who may get calls, as the supervisor has decided. Of two picked at random,
// the one with fewer calls under way gets the next: as good as the fewest of
// all, without looking at all, and without all callers going for the same one.
class Router final : public CallRouter {
 public:
  // What is seen of a target at once, before its end is known or told: until
  // then it would get all calls, having none under way.
  enum class Condition {
    kConnected,
    kDoubted,  // it may be broken: it is for those who find no other
    kBroken,   // its connection is, and may come back
    kGone,     // its process has ended
  };
  struct Route {
    std::shared_ptr<CallTarget> target;
    // Any thread; must not block.
    std::function<Condition()> look;
  };
  struct Routes {
    std::vector<Route> targets;
    bool may_wait = true;
    grpc::Status why_none;
    // There may be one as soon as somebody wants it.
    bool asleep = false;
  };

  // `want` is called, once until the next Change, when a call finds nobody
  // though the routes are asleep, or some are broken and it waits for them: the
  // next Change is to come soon then. Must not block.
  Router(std::uint64_t seed, std::function<void()> want)
      : random_(seed | 1), want_(std::move(want)) {}

  // Tells who listens.
  void Change(Routes routes);
  // Has all who wait look again.
  void LookAgain();

  std::shared_ptr<CallTarget> Pick() override;
  bool IsAsleep() override;
  grpc::Status WhyNone() override;
  bool MayWait() override;
  void OnChange(std::function<void()> on_change) override;

 private:
  // Null, and `broken`, where only those are left.
  std::shared_ptr<CallTarget> PickOf(const std::vector<Route>& routes,
                                     bool& broken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t Random(size_t bound) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  Routes routes_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t random_ ABSL_GUARDED_BY(mutex_);
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> listeners_ ABSL_GUARDED_BY(mutex_);
  const std::function<void()> want_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_ROUTER_H_
