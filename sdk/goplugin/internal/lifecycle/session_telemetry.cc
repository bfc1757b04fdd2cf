#include "goplugin/internal/lifecycle/session_telemetry.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/optional.h"
#include "goplugin/internal/process/process_stat.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {
namespace {

absl::Duration FromTicks(std::uint64_t ticks) {
  return absl::Seconds(static_cast<double>(ticks)) /
         static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
}

// Beside the event itself.
std::size_t TextOf(const absl::Status& status) {
  return 2 * status.message().size();
}
std::size_t TextOf(const LaunchEvent& event) { return TextOf(event.status); }
std::size_t TextOf(const ExitEvent& event) { return TextOf(event.error); }
std::size_t TextOf(const DialEvent& event) { return TextOf(event.status); }
std::size_t TextOf(const DroppedEvent& /*event*/) { return 0; }
std::size_t TextOf(const UsageEvent& /*event*/) { return 0; }

}  // namespace

std::shared_ptr<SessionTelemetry> SessionTelemetry::Create(
    const ClientOptions& options, Pool& pool) {
  if (options.telemetry == nullptr) return nullptr;
  // make_shared can't reach the constructor.
  std::shared_ptr<SessionTelemetry> telemetry(new SessionTelemetry);
  telemetry->lane_ = std::make_unique<TelemetryLane>(
      options.telemetry, pool,
      [weak = std::weak_ptr<SessionTelemetry>(telemetry)] {
        const auto self = weak.lock();
        return self == nullptr ? PluginIdentity() : self->plugin();
      });
  return telemetry;
}

template <typename Event>
void SessionTelemetry::Tell(void (Telemetry::*take)(const Event&),
                            Event event) {
  event.plugin = plugin();
  const std::size_t text = TextOf(event);
  lane_->Tell(take, std::move(event), text);
}

void SessionTelemetry::Name(std::string name, pid_t pid) {
  MutexLock lock(mutex_);
  plugin_.name = std::move(name);
  plugin_.pid = std::max(pid, 0);
}

PluginIdentity SessionTelemetry::plugin() const {
  MutexLock lock(mutex_);
  return plugin_;
}

void SessionTelemetry::Launched(const absl::Status& status,
                                const LaunchTimings& timings,
                                absl::Duration took) {
  Tell(&Telemetry::OnLaunch, LaunchEvent{{}, status, timings, took});
}

void SessionTelemetry::Exited(ExitEvent event) {
  Tell(&Telemetry::OnExit, std::move(event));
}

void SessionTelemetry::Dropped(std::size_t entries) {
  Tell(&Telemetry::OnDropped, DroppedEvent{{}, entries, /*events=*/0});
}

void SessionTelemetry::Dialled(std::uint32_t id, const absl::Status& status,
                               absl::Duration took) {
  Tell(&Telemetry::OnDial, DialEvent{{}, id, status, took});
}

bool SessionTelemetry::Sample() {
  const PluginIdentity plugin = this->plugin();
  if (plugin.pid <= 0) return false;
  const absl::optional<ProcessStat> stat =
      ReadProcessStat(static_cast<pid_t>(plugin.pid));
  if (!stat.has_value() || stat->has_ended) return false;
  {
    // By now another process may have its number.
    MutexLock lock(mutex_);
    if (start_time_ == 0) start_time_ = stat->start_time;
    if (start_time_ != stat->start_time) return false;
  }
  Tell(&Telemetry::OnUsage,
       UsageEvent{{},
                  FromTicks(stat->processor_ticks),
                  stat->memory_pages * sysconf(_SC_PAGESIZE)});
  return true;
}

}  // namespace goplugin::internal
