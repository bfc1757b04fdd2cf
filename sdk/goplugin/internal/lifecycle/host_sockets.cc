#include "goplugin/internal/lifecycle/host_sockets.h"

#include "absl/status/status.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {
namespace {

absl::Status Ended() {
  return MakeError(Reason::kShutDown, "the client has ended",
                   "dial and accept while it lives");
}

}  // namespace

MakeDoorSocket DoorMaker(const std::shared_ptr<PluginFiles>& files) {
  return [weak = std::weak_ptr<PluginFiles>(
              files)]() -> absl::StatusOr<DoorSocket> {
    const std::shared_ptr<PluginFiles> held = weak.lock();
    if (held == nullptr) return Ended();
    absl::StatusOr<SocketPlace> place = held->Doors();
    if (!place.ok()) return place.status();
    return MakeDoorSocketIn(*place->directory);
  };
}

std::function<absl::StatusOr<BrokerDirectory>()> BrokerDirectories(
    const std::shared_ptr<PluginFiles>& files) {
  if (files == nullptr) return nullptr;
  return [weak = std::weak_ptr<PluginFiles>(
              files)]() -> absl::StatusOr<BrokerDirectory> {
    const std::shared_ptr<PluginFiles> held = weak.lock();
    if (held == nullptr) return Ended();
    absl::StatusOr<SocketPlace> place = held->Brokered();
    if (!place.ok()) return place.status();
    return BrokerDirectory{place->directory, place->mode};
  };
}

}  // namespace goplugin::internal
