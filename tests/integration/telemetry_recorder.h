#ifndef TESTS_INTEGRATION_TELEMETRY_RECORDER_H_
#define TESTS_INTEGRATION_TELEMETRY_RECORDER_H_

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/types/optional.h"
#include "goplugin/internal/versions/mutex_lock.h"
#include "goplugin/telemetry.h"
#include "tests/integration/live.h"

namespace goplugin::testing {

// The events of one kind, in their order. Thread-safe.
template <typename Event>
class Events {
 public:
  void Add(const Event& event) {
    internal::MutexLock lock(mutex_);
    events_.push_back(event);
  }
  absl::optional<Event> Take() {
    const auto some = [this] {
      mutex_.AssertReaderHeld();
      return !events_.empty();
    };
    internal::MutexLock lock(mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&some), kPatience)) {
      return absl::nullopt;
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  bool empty() {
    internal::MutexLock lock(mutex_);
    return events_.empty();
  }

 private:
  absl::Mutex mutex_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
};

// Keeps all events.
struct Recorder : public Telemetry {
  void OnLaunch(const LaunchEvent& event) override { launches.Add(event); }
  void OnExit(const ExitEvent& event) override { exits.Add(event); }
  void OnDropped(const DroppedEvent& event) override { dropped.Add(event); }
  void OnDial(const DialEvent& event) override { dials.Add(event); }
  void OnFailure(const FailureEvent& event) override { failures.Add(event); }
  void OnRestart(const RestartEvent& event) override { restarts.Add(event); }
  void OnBreaker(const BreakerEvent& event) override { breakers.Add(event); }
  void OnHealth(const HealthEvent& event) override { healths.Add(event); }
  void OnSupervisorState(const SupervisorStateEvent& event) override {
    states.Add(event);
  }
  void OnUsage(const UsageEvent& event) override {
    if (stuck != nullptr) stuck->WaitForNotification();
    usages.Add(event);
  }

  Events<LaunchEvent> launches;
  Events<ExitEvent> exits;
  Events<DroppedEvent> dropped;
  Events<DialEvent> dials;
  Events<UsageEvent> usages;
  Events<FailureEvent> failures;
  Events<RestartEvent> restarts;
  Events<BreakerEvent> breakers;
  Events<HealthEvent> healths;
  Events<SupervisorStateEvent> states;
  absl::Notification* stuck = nullptr;
};

}  // namespace goplugin::testing

#endif  // TESTS_INTEGRATION_TELEMETRY_RECORDER_H_
