#ifndef GOPLUGIN_INTERNAL_CHANNEL_WAITING_LINE_H_
#define GOPLUGIN_INTERNAL_CHANNEL_WAITING_LINE_H_

#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/channel/relay_desk.h"
#include "goplugin/internal/channel/router_changes.h"

namespace goplugin::internal {

// The calls that wait for what one router says next, first come, first served.
// On the relay's thread, but for its making and its end.
class WaitingLine final : public std::enable_shared_from_this<WaitingLine>,
                          private RelayStep {
 public:
  class Waiter {
   public:
    // Whether it has what it waited for, or gives up: it leaves the line then.
    virtual bool Look(CallRouter& router) = 0;
    // Whether it is one of those that max_waiting counts.
    virtual bool IsCall() const = 0;

   protected:
    ~Waiter() = default;

   private:
    friend class WaitingLine;
    // Its last one; never given to another.
    std::uint64_t place_ = 0;
  };

  WaitingLine(std::shared_ptr<CallRouter> router,
              std::shared_ptr<RouterChanges> changes,
              std::shared_ptr<RelayDesk> desk, int max_waiting);
  ~WaitingLine();
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  // Has the waiter look, at once and at every change, until it need not any
  // more. False: the line is full. It stays the caller's; see Leave.
  bool Enter(Waiter& waiter);
  // Without effect where it is not in the line.
  void Leave(Waiter& waiter);

  CallRouter& router() { return *router_; }
  int max_waiting() const { return max_waiting_; }

 private:
  // Any thread.
  void Wake();
  void Run(bool ok) override;
  void LookAll();
  void Add(Waiter& waiter);
  void Remove(std::uint64_t place, bool is_call);

  const std::shared_ptr<CallRouter> router_;
  const std::shared_ptr<RouterChanges> changes_;
  const std::shared_ptr<RelayDesk> desk_;
  const int max_waiting_;

  // The relay's thread.
  // By the order in which they came: one leaves in no time, however many wait.
  std::map<std::uint64_t, Waiter*> waiters_;
  std::uint64_t last_place_ = 0;
  int calls_ = 0;
  RouterChanges::Listener listener_;

  absl::Mutex mutex_;
  // While this is on its way to the relay's thread.
  std::shared_ptr<WaitingLine> posted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_CHANNEL_WAITING_LINE_H_
