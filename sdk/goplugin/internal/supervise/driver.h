#ifndef GOPLUGIN_INTERNAL_SUPERVISE_DRIVER_H_
#define GOPLUGIN_INTERNAL_SUPERVISE_DRIVER_H_

#include <grpcpp/impl/channel_interface.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/internal/lifecycle/runtime.h"
#include "goplugin/internal/lifecycle/telemetry_lane.h"
#include "goplugin/internal/loop/event_loop.h"
#include "goplugin/internal/loop/pool.h"
#include "goplugin/internal/loop/stopwatch.h"
#include "goplugin/internal/supervise/decision.h"
#include "goplugin/internal/supervise/happening.h"
#include "goplugin/internal/supervise/host_code.h"
#include "goplugin/internal/supervise/live_plugin.h"
#include "goplugin/internal/supervise/machine.h"
#include "goplugin/internal/supervise/router.h"
#include "goplugin/internal/supervise/source.h"
#include "goplugin/internal/supervise/status_board.h"
#include "goplugin/supervisor_options.h"
#include "goplugin/supervisor_status.h"
#include "goplugin/telemetry.h"

namespace goplugin::internal {

// Does what the machine decides, with clients, on the SDK's own threads: it has
// none. Keeps itself alive from Start until its end.
//
// The public methods are thread-safe and never block. What they are given to
// call runs on the loop's thread, but for observers, and must not block.
class Driver : public std::enable_shared_from_this<Driver> {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;
  using StateObserver =
      std::function<void(SupervisorState, const absl::Status&)>;
  using GenerationObserver =
      std::function<void(int, std::uint64_t, const std::shared_ptr<Client>&)>;

  // `options` and `source` have been checked. Errors: Runtime::Acquire's.
  static absl::StatusOr<std::shared_ptr<Driver>> Create(
      Source source, ClientOptions client_options, SupervisorOptions options);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Each `done` is called once, but never once the process exits.
  void Start(Done done);
  void Replace(Source source, Done done);
  void Restart(Done done);
  void Shutdown(Done done);
  void Scale(int replicas);

  // Called in order and one at a time, as completions; first with what is now.
  void ObserveStates(StateObserver observer);
  void ObserveGenerations(GenerationObserver observer);
  // Runs `callback` as the observers are.
  void PostCompletion(absl::AnyInvocable<void()> callback) {
    completions_->Post(std::move(callback));
  }
  // Waits until the loop has dropped what was posted before: see
  // Session::WaitForLoop.
  void WaitForLoop();

  // For stubs of any kind: passes calls to whom the router picks.
  const std::shared_ptr<grpc::ChannelInterface>& channel() const {
    return channel_;
  }
  StatusBoard& board() { return board_; }

 private:
  Driver(std::shared_ptr<Runtime> runtime, Source source,
         ClientOptions client_options, SupervisorOptions options);

  // Has `event` told to the machine on the loop's thread, and what it decides
  // done.
  using Event = absl::AnyInvocable<void(Machine&, absl::Duration)>;
  void Post(Event event);
  // On the loop's thread, as all below.
  void Tell(Event event);
  void Do(const Decision& decision);
  void Answer(const Decision& decision);
  void Launch(const Decision& decision);
  void OnLaunched(LivePlugin& plugin);
  void OnUse(const LivePlugin& plugin);
  void DropWhatIsGone();
  // A call found nobody, and somebody may be there soon.
  void OnWant();
  void Publish();
  StatusBoard::Row RowOf(int slot) const;
  void TellObservers(SupervisorState state);
  grpc::Status WhyNone(SupervisorState state, bool has_targets) const;
  // driver_telemetry.cc
  void TellTelemetry();
  void TellTelemetry(const Happening& happening);
  void TellTelemetry(SupervisorState state);
  PluginIdentity IdentityOf(const Happening& happening) const;
  PluginIdentity Identity() const;
  void Leave();

  const Stopwatch stopwatch_;
  const std::shared_ptr<Runtime> runtime_;
  const std::shared_ptr<Lane> starts_;
  const std::shared_ptr<Lane> completions_;
  const ClientOptions client_options_;
  const SupervisorOptions options_;
  // Null: the user wants none.
  const std::unique_ptr<TelemetryLane> telemetry_;
  std::shared_ptr<Router> router_;
  std::shared_ptr<grpc::ChannelInterface> channel_;
  StatusBoard board_;

  // See LivePlugin.
  const std::shared_ptr<HostCode> host_code_ = std::make_shared<HostCode>();
  std::shared_ptr<Driver> self_;
  std::minstd_rand dice_;
  Machine machine_;
  std::map<std::uint64_t, std::shared_ptr<LivePlugin>> plugins_;
  // By version.
  std::map<int, Source> sources_;
  int last_version_ = 0;
  std::map<Request, Done> waiting_;
  Request last_request_ = 0;
  // Negotiated by the first generation that is not just tried by a Replace.
  absl::optional<std::uint32_t> app_version_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> again_;
  // Shared, so that what they keep is there once.
  std::vector<std::shared_ptr<const StateObserver>> state_observers_;
  std::vector<std::shared_ptr<const GenerationObserver>> generation_observers_;
  absl::optional<SupervisorState> told_;
  bool routes_changed_ = true;
  bool could_recover_ = true;
  std::uint64_t failures_ = 0;
  absl::Duration failed_at_ = absl::ZeroDuration();
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SUPERVISE_DRIVER_H_
