#ifndef GOPLUGIN_INTERNAL_CHANNEL_ROUTER_CHANGES_H_
#define GOPLUGIN_INTERNAL_CHANNEL_ROUTER_CHANGES_H_

#include <grpc/grpc.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_target.h"

namespace goplugin::internal {

// IDLE where it sleeps, READY where there is a target, CONNECTING where a call
// may wait for one, TRANSIENT_FAILURE where it fails at once.
grpc_connectivity_state StateOf(CallRouter& router);

// The router's WhyNone, which is an error whatever the router says.
grpc::Status WhyNoTarget(CallRouter& router);

// Tells any number of listeners of a router's changes, with one OnChange at a
// time, and none while nobody listens. Thread-safe.
class RouterChanges : public std::enable_shared_from_this<RouterChanges> {
 public:
  // Unlistens at its end; waits for nothing, so that a call of the listener may
  // still be under way then.
  class Listener {
   public:
    Listener() = default;
    ~Listener();
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;

   private:
    friend class RouterChanges;
    Listener(std::shared_ptr<RouterChanges> changes, std::uint64_t number)
        : changes_(std::move(changes)), number_(number) {}

    std::shared_ptr<RouterChanges> changes_;
    std::uint64_t number_ = 0;
  };

  explicit RouterChanges(std::shared_ptr<CallRouter> router)
      : router_(std::move(router)) {}

  // `on_change` is called at each change from now on, on the router's thread.
  // Must not block.
  Listener Listen(std::function<void()> on_change);

 private:
  void Arm() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnChange() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<CallRouter> router_;
  absl::Mutex mutex_;
  std::map<std::uint64_t, std::function<void()>> listeners_
      ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool armed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_ROUTER_CHANGES_H_
