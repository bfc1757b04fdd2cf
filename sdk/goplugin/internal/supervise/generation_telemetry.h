#ifndef GOPLUGIN_INTERNAL_SUPERVISE_GENERATION_TELEMETRY_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_GENERATION_TELEMETRY_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "goplugin/internal/supervise/host_code.h"
#include "goplugin/telemetry.h"

namespace goplugin::internal {

// What the client of one generation tells, on its way to the user's Telemetry:
// says which one it is, and counts the visits there. Thread-safe.
class GenerationTelemetry final : public Telemetry {
 public:
  GenerationTelemetry(std::shared_ptr<Telemetry> user,
                      std::shared_ptr<HostCode> code, int replica,
                      std::uint64_t generation)
      : user_(std::move(user)),
        code_(std::move(code)),
        replica_(replica),
        generation_(generation) {}

  // The supervisor takes its exit for a failure: that it drops the client then
  // is no Shutdown that could excuse a stop.
  void Crashed(absl::Status why);

  void OnLaunch(const LaunchEvent& event) override;
  void OnExit(const ExitEvent& event) override;
  void OnDropped(const DroppedEvent& event) override;
  void OnDial(const DialEvent& event) override;
  void OnUsage(const UsageEvent& event) override;

 private:
  template <typename Event>
  void Tell(void (Telemetry::*take)(const Event&), Event event) {
    event.plugin.replica = replica_;
    event.plugin.generation = generation_;
    const HostCode::Visit visit(*code_);
    (user_.get()->*take)(event);
  }

  const std::shared_ptr<Telemetry> user_;
  const std::shared_ptr<HostCode> code_;
  const int replica_;
  const std::uint64_t generation_;
  absl::Mutex mutex_;
  absl::Status crash_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_GENERATION_TELEMETRY_H_
