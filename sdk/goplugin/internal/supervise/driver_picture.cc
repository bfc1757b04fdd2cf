#include <grpcpp/channel.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "goplugin/internal/supervise/driver.h"

// What others see of it.

namespace goplugin::internal {
namespace {

using Role = Generation::Role;

Router::Condition ConditionOf(const Client& client, const CallTarget& target) {
  if (client.exited()) return Router::Condition::kGone;
  if (target.channel->GetState(/*try_to_connect=*/true) != GRPC_CHANNEL_READY) {
    return Router::Condition::kBroken;
  }
  return target.doubted() ? Router::Condition::kDoubted
                          : Router::Condition::kConnected;
}

}  // namespace

void Driver::Publish() {
  const SupervisorState state = machine_.state();
  const absl::Duration now = stopwatch_.Elapsed();
  const bool failed = machine_.failures() != failures_;
  if (failed) {
    failures_ = machine_.failures();
    failed_at_ = now;
  }
  for (const auto& [id, plugin] : plugins_) plugin->LookAtCalls(now);
  StatusBoard::Picture picture;
  picture.state = state;
  picture.breaker_open = machine_.breaker_open();
  picture.last_failure = machine_.last_failure();
  picture.failures = failures_;
  picture.failed_at = failed_at_;
  for (int slot = 0; slot < machine_.replicas().replicas(); ++slot) {
    picture.rows.push_back(RowOf(slot));
  }
  const bool may_recover = machine_.may_recover();
  // WhyNone has the last failure, in the same state too.
  const bool news = failed || state != told_ || may_recover != could_recover_;
  could_recover_ = may_recover;
  if (news || std::exchange(routes_changed_, false)) {
    Router::Routes routes;
    for (const auto& [id, generation] : machine_.replicas().generations()) {
      if (!generation.used) continue;
      const LivePlugin& plugin = *plugins_.at(id);
      routes.targets.push_back({plugin.target(), [client = plugin.client(),
                                                  target = plugin.target()] {
                                  return ConditionOf(*client, *target);
                                }});
    }
    routes.may_wait = may_recover && options_.unavailable == Unavailable::kWait;
    routes.asleep = machine_.asleep() && !machine_.stopping();
    routes.why_none = WhyNone(state, !routes.targets.empty());
    board_.Show(std::move(picture));
    router_->Change(std::move(routes));
  } else {
    board_.Show(std::move(picture));
  }
  TellObservers(state);
  if (timer_ == nullptr) return;
  timer_->Start(machine_.next_look() - now, [this] {
    Tell([](Machine& machine, absl::Duration now) { machine.OnTime(now); });
  });
}

StatusBoard::Row Driver::RowOf(int slot) const {
  const Slot& place = machine_.replicas().slot(slot);
  StatusBoard::Row row;
  row.status.replica = slot;
  row.status.restarts = place.restarts;
  row.status.last_failure = place.last_failure;
  row.start_at = machine_.StartAt(slot);
  for (const auto& [id, generation] : machine_.replicas().generations()) {
    const auto found = plugins_.find(id);
    if (generation.slot != slot || found == plugins_.end()) continue;
    const LivePlugin& plugin = *found->second;
    if (generation.role == Role::kLeaving && plugin.target() != nullptr) {
      row.leaving.push_back(plugin.target());
    }
    if (generation.role != Role::kCurrent) continue;
    row.status.generation = id;
    row.status.in_use = generation.used;
    if (generation.stage == Generation::Stage::kUp) {
      row.up_since = generation.up_since;
    }
    row.quiet_since = plugin.quiet_since();
    row.heard = plugin.heard();
    row.target = plugin.target();
    row.client = plugin.client();
    if (row.client != nullptr) row.status.pid = row.client->pid();
  }
  return row;
}

grpc::Status Driver::WhyNone(SupervisorState state, bool has_targets) const {
  const bool over = machine_.stopping();
  // Of targets, all are gone or broken for whoever asks for this, and the state
  // does not know it yet.
  std::string why =
      over ? "the supervisor of this plugin was shut down"
           : absl::StrCat(
                 "no replica of this plugin takes calls (",
                 has_targets ? "connection lost" : SupervisorStateName(state),
                 ")");
  const absl::Status& failure = machine_.last_failure();
  if (!over && !failure.ok()) {
    absl::StrAppend(&why, "; last failure: ", failure.message());
  }
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, why);
}

void Driver::TellObservers(SupervisorState state) {
  const bool changed = told_ != state;
  told_ = state;
  if (changed) TellTelemetry(state);
  if (!changed || state_observers_.empty()) return;
  completions_->Post(
      [observers = state_observers_, state, why = machine_.last_failure()] {
        for (const auto& observer : observers) (*observer)(state, why);
      });
}

void Driver::ObserveStates(StateObserver observer) {
  auto shared = std::make_shared<const StateObserver>(std::move(observer));
  Post([this, observer = std::move(shared)](Machine& machine, absl::Duration) {
    completions_->Post(
        [observer, state = machine.state(), why = machine.last_failure()] {
          (*observer)(state, why);
        });
    if (!machine.finished()) state_observers_.push_back(observer);
  });
}

void Driver::ObserveGenerations(GenerationObserver observer) {
  auto shared = std::make_shared<const GenerationObserver>(std::move(observer));
  Post([this, observer = std::move(shared)](Machine& machine, absl::Duration) {
    for (const auto& [id, generation] : machine.replicas().generations()) {
      if (!generation.used) continue;
      completions_->Post([observer, slot = generation.slot, number = id,
                          client = plugins_.at(id)->client()] {
        (*observer)(slot, number, client);
      });
    }
    if (!machine.finished()) generation_observers_.push_back(observer);
  });
}

}  // namespace goplugin::internal
