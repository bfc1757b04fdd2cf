#include "goplugin/internal/broker/broker_place.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/channel/channel.h"
#include "goplugin/internal/error/make_error.h"

namespace goplugin::internal {

absl::StatusOr<std::unique_ptr<BrokerPlace>> BrokerPlace::Create(
    std::shared_ptr<BrokerCore> core) {
  std::string path;
  // Multiplexed, it is this process alone that connects.
  if (core->multiplexed() ||
      core->setup().network == Endpoint::Network::kUnix) {
    absl::StatusOr<std::string> next = core->sockets().NextPath();
    if (!next.ok()) return core->ExplainFailure(next.status());
    path = *std::move(next);
  }
  return absl::WrapUnique(new BrokerPlace(std::move(core), std::move(path)));
}

BrokerPlace::~BrokerPlace() {
  absl::MutexLock lock(&mutex_);
  for (std::uint32_t id : ids_) core_->Withdraw(id);
  // gRPC removes the sockets of servers that were started.
  if (!path_.empty()) unlink(path_.c_str());
}

std::string BrokerPlace::Target() const {
  return path_.empty() ? "127.0.0.1:0"
                       : ChannelTarget({Endpoint::Network::kUnix, path_});
}

Endpoint BrokerPlace::endpoint() const {
  if (!path_.empty()) return {Endpoint::Network::kUnix, path_};
  return {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", port_)};
}

absl::Status BrokerPlace::Announce(std::uint32_t id) {
  if (port_ == 0) {
    return MakeError(
        Reason::kOptions,
        absl::StrCat("brokered connection ", id,
                     " can't be announced: its server does not listen"),
        "call BrokerListener::AddTo, then BuildAndStart, and Announce when "
        "that gave a server");
  }
  absl::MutexLock lock(&mutex_);
  if (!path_.empty() && !restricted_) {
    absl::Status status = core_->sockets().RestrictAccess(path_);
    if (!status.ok()) return core_->ExplainFailure(status);
    restricted_ = true;
  }
  absl::Status status = core_->Announce(id, endpoint());
  if (status.ok()) ids_.push_back(id);
  return status;
}

}  // namespace goplugin::internal
