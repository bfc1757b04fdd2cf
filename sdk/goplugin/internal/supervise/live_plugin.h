#ifndef GOPLUGIN_INTERNAL_SUPERVISE_LIVE_PLUGIN_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_LIVE_PLUGIN_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/channel/call_target.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/session_state.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/rpc/unary_call.h"
#include "goplugin/internal/supervise/generation_telemetry.h"
#include "goplugin/internal/supervise/health_judge.h"
#include "goplugin/internal/supervise/host_code.h"
#include "goplugin/internal/supervise/source.h"
#include "goplugin/launch_operation.h"
#include "goplugin/telemetry.h"

namespace goplugin::internal {

// One generation, as a Client: does what is decided of it, and tells what
// became of that. Lives on the loop's thread, where all of it is called and
// told; never blocks there. In a shared_ptr.
class LivePlugin : public std::enable_shared_from_this<LivePlugin> {
 public:
  // After End none but on_start_failed or on_ended, one of which is the last.
  struct Events {
    std::function<void()> on_launched;
    std::function<void(const absl::Status&)> on_start_failed;
    std::function<void(const absl::Status&)> on_prepared;
    std::function<void(HealthAnswer)> on_health;
    std::function<void(const absl::Status&)> on_exited;
    std::function<void(const absl::Status&)> on_ended;
  };
  using Prepare = std::function<absl::Status(
      Client&, std::chrono::system_clock::time_point)>;

  // `starts` is where launches are begun; `host_code` counts the visits there.
  LivePlugin(std::shared_ptr<Runtime> runtime, std::shared_ptr<Lane> starts,
             std::shared_ptr<HostCode> host_code, int replica,
             std::uint64_t generation);

  void Launch(const Source& source, ClientOptions options, Events events);
  void RunPrepare(Prepare prepare, absl::Duration timeout);
  void Check(absl::Duration timeout);
  // Calls off a launch, or ends the plugin by its ladder.
  void End();
  // Nothing is told any more: it is gone.
  void Forget();

  // Null before it was launched.
  const std::shared_ptr<Client>& client() const { return client_; }
  const std::shared_ptr<CallTarget>& target() const { return target_; }
  int replica() const { return replica_; }
  std::uint64_t generation() const { return generation_; }
  // As telemetry has it.
  PluginIdentity identity() const;

  // For how long none of its calls under way has said anything; looked at now
  // and then.
  void LookAtCalls(absl::Duration now);
  absl::Duration quiet_since() const { return quiet_since_; }
  std::uint64_t heard() const { return heard_; }

 private:
  // From any thread: has it done on the loop's.
  void Post(absl::AnyInvocable<void(LivePlugin&)> what);
  // Names this generation to the host's code, and counts the visits there.
  void WrapHostCode(ClientOptions& options);
  // Ends a launch that still waits for what it needs.
  void GiveUp(absl::Status why);
  void OnLaunch(absl::StatusOr<std::unique_ptr<Client>> client);
  void BeginEnd();
  void OnGone(const SessionState::End& end);

  const std::shared_ptr<Runtime> runtime_;
  const std::shared_ptr<Lane> starts_;
  // The user's runner factory, prepare and interceptors, which may be stuck.
  const std::shared_ptr<Lane> prepares_;
  const std::shared_ptr<Lane> checks_;
  const std::shared_ptr<HostCode> host_code_;
  const int replica_;
  const std::uint64_t generation_;
  Events events_;
  std::string name_;
  // Null: the user wants none.
  std::shared_ptr<GenerationTelemetry> telemetry_;
  bool has_interceptors_ = false;

  bool launching_ = false;
  bool ending_ = false;
  // Set by whoever is first: the launch that begins, or its end.
  const std::shared_ptr<std::atomic<bool>> begun_ =
      std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Timer> making_;
  LaunchOperation launch_;
  std::shared_ptr<Client> client_;
  std::shared_ptr<CallTarget> target_;
  CallHandle check_;
  std::uint64_t heard_ = 0;
  absl::Duration quiet_since_ = absl::ZeroDuration();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_LIVE_PLUGIN_H_
