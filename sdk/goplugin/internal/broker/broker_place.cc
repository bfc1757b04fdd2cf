#include "goplugin/internal/broker/broker_place.h"

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/versions/mutex_lock.h"

namespace goplugin::internal {

absl::StatusOr<std::unique_ptr<BrokerPlace>> BrokerPlace::Create(
    const std::shared_ptr<BrokerCore>& core) {
  auto place = absl::WrapUnique(new BrokerPlace(core));
  if (core->multiplexed() ||
      core->setup().network != Endpoint::Network::kUnix) {
    return place;
  }
  absl::StatusOr<std::unique_ptr<BrokerSocket>> socket =
      core->sockets().Listen();
  if (!socket.ok()) return core->ExplainFailure(socket.status());
  place->socket_ = *std::move(socket);
  return place;
}

BrokerPlace::~BrokerPlace() {
  Close();
  MutexLock lock(mutex_);
  for (std::uint32_t id : ids_) core_->Withdraw(id);
}

void BrokerPlace::AddTo(
    grpc::ServerBuilder& builder,
    const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  if (socket_ != nullptr || core_->multiplexed()) {
    intake_ = ConnectionIntake::AddTo(builder, credentials);
  } else {
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
  }
}

void BrokerPlace::Close() {
  MutexLock lock(mutex_);
  accepting_.reset();
  if (intake_ != nullptr) intake_->Close();
}

Endpoint BrokerPlace::endpoint() const {
  if (core_->multiplexed()) return {Endpoint::Network::kUnix, ""};
  if (socket_ != nullptr) return {Endpoint::Network::kUnix, socket_->path()};
  return {Endpoint::Network::kTcp, absl::StrCat("127.0.0.1:", port_)};
}

bool BrokerPlace::serving() const {
  return intake_ != nullptr ? intake_->serving() : port_ != 0;
}

void BrokerPlace::BeginToAccept() {
  if (socket_ == nullptr || accepting_ != nullptr) return;
  accepting_ = core_->setup().acceptors->Accept(
      socket_->TakeListener(), core_->sockets().guests(),
      [intake = intake_](UniqueFd connection) {
        intake->Take(std::move(connection));
      });
}

absl::Status BrokerPlace::Announce(std::uint32_t id) {
  absl::Status may_block = core_->CheckMayBlock();
  if (!may_block.ok()) return may_block;
  if (!serving()) {
    return MakeError(
        Reason::kOptions,
        absl::StrCat("brokered connection ", id,
                     " can't be announced: its server does not listen"),
        "call BrokerListener::AddTo, then BuildAndStart, and Announce when "
        "that gave a server");
  }
  MutexLock lock(mutex_);
  BeginToAccept();
  absl::Status status = Deliver(id);
  if (status.ok()) ids_.push_back(id);
  return status;
}

absl::Status BrokerPlace::Deliver(std::uint32_t id) {
  if (!core_->multiplexed()) return core_->Announce(id, endpoint());
  return core_->ServeStreams(id, [intake = intake_](LocalEnd connection) {
    intake->Take(std::move(connection));
  });
}

}  // namespace goplugin::internal
