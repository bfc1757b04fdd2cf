#ifndef GOPLUGIN_INTERNAL_CHANNEL_CALL_TARGET_H_
#define GOPLUGIN_INTERNAL_CHANNEL_CALL_TARGET_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace goplugin::internal {

// One channel that calls may be passed to, with what is known of it.
struct CallTarget {
  // The connection may be gone, which the channel learns some milliseconds
  // after the calls: they fail at once until then, and as the one with the
  // fewest under way this target would get all that come.
  bool doubted() const {
    constexpr std::chrono::milliseconds kUntilLossIsKnown(200);
    const std::chrono::steady_clock::duration at(doubted_at);
    return at.count() != 0 &&
           std::chrono::steady_clock::now().time_since_epoch() - at <
               kUntilLossIsKnown;
  }

  std::shared_ptr<grpc::Channel> channel;
  std::atomic<int> under_way{0};        // calls passed and not over
  std::atomic<std::uint64_t> heard{0};  // messages and ends that came: says
                                        // that it is alive
  // When a call last ended as one does whose connection breaks, in ticks of the
  // steady clock; 0: never, or something was heard since.
  std::atomic<std::chrono::steady_clock::rep> doubted_at{0};
};

// Who gets a call. Thread-safe; never blocks.
class CallRouter {
 public:
  virtual ~CallRouter() = default;

  // The target for a new call; null: none is there.
  virtual std::shared_ptr<CallTarget> Pick() = 0;
  // Whether there is none because nobody has called: Pick would wake one.
  virtual bool IsAsleep() { return false; }
  // Why there is none, as the status that a call ends with; and whether a call
  // may wait for one.
  virtual grpc::Status WhyNone() = 0;
  virtual bool MayWait() = 0;
  // Calls `on_change` (once, from any thread) when Pick or MayWait may say
  // something new.
  virtual void OnChange(std::function<void()> on_change) = 0;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_CALL_TARGET_H_
